"""Trees of files to pack from: folders, tar files and object storage behind one interface; none of them unpacks or decodes anything."""

from orchestrator.shards.trees.base import Tree, TreeFile, clean_name
from orchestrator.shards.trees.opening import open_tree

__all__ = ["Tree", "TreeFile", "clean_name", "open_tree"]
