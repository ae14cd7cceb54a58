"""Datasets as Parquet shards in object storage: pack, verify, read in order.

    <dataset>/manifest.json                                                       written last; names the version
    <dataset>/manifests/<version>.json                                            every version that was complete once
    <dataset>/shards/<source>/split=train/species=fish_01/part-00000.parquet      rows in small row groups

The modules that need torch (`decoding`, `loading`, `streaming`) are not imported here: Ray Data's tasks import this
package, and torch would cost each of them half a gigabyte.
"""

from orchestrator.shards.manifest import Manifest, Quarantined, Shard, read_manifest
from orchestrator.shards.packing import PackOptions, pack
from orchestrator.shards.preparing import Preparation
from orchestrator.shards.publishing import PackedVersion, packed_versions
from orchestrator.shards.selection import Selection
from orchestrator.shards.sources import DatasetSource, FolderSource, ProceduralSource, Source
from orchestrator.shards.verification import verify

__all__ = [
    "DatasetSource",
    "FolderSource",
    "Manifest",
    "PackOptions",
    "PackedVersion",
    "Preparation",
    "ProceduralSource",
    "Quarantined",
    "Selection",
    "Shard",
    "Source",
    "pack",
    "packed_versions",
    "read_manifest",
    "verify",
]
