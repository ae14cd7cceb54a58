"""Where examples come from: pictures in folders, tar files and object storage, the procedural generator, another dataset."""

from orchestrator.shards.sources.dataset import DatasetSource
from orchestrator.shards.sources.folder import FolderSource
from orchestrator.shards.sources.procedural import ProceduralSource
from orchestrator.shards.sources.protocol import Item, Source

__all__ = ["DatasetSource", "FolderSource", "Item", "ProceduralSource", "Source"]
