"""Datasets as Parquet shards in object storage: pack, verify, read in order.

    <dataset>/manifest.json                                                       written last; names the version
    <dataset>/shards/<source>/split=train/species=fish_01/part-00000.parquet      rows in small row groups

The modules that need torch (`decoding`, `loading`, `streaming`) are not imported here: Ray Data's tasks import this
package, and torch would cost each of them half a gigabyte.
"""

from orchestrator.shards.manifest import Manifest, Quarantined, Shard, read_manifest
from orchestrator.shards.packing import PackOptions, pack
from orchestrator.shards.selection import Selection
from orchestrator.shards.sources import FolderSource, ProceduralSource, Source
from orchestrator.shards.verification import verify

__all__ = [
    "FolderSource",
    "Manifest",
    "PackOptions",
    "ProceduralSource",
    "Quarantined",
    "Selection",
    "Shard",
    "Source",
    "pack",
    "read_manifest",
    "verify",
]
