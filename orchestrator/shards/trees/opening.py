"""Chooses the kind of tree that a name means."""

import glob
from pathlib import Path

from g3dr.errors import DataError
from orchestrator.shards.trees.archives import Archives
from orchestrator.shards.trees.base import Tree, clean_name, is_hidden, is_picture
from orchestrator.shards.trees.folder import FolderTree
from orchestrator.shards.trees.remote import RemoteTree
from orchestrator.shards.trees.tar import TarTree, is_tar
from orchestrator.store import open_store

_PATTERN = set("*?[")


def open_tree(name: str) -> Tree:
    """Opens a tree; a folder that holds tar files and no picture counts as those.

    Args:
        name: A folder, a tar file, a pattern of tar files, or `s3://bucket/prefix`.

    Raises:
        DataError: There is nothing of this name.
        StoreError: No store of this kind.
    """
    path = Path(name).expanduser()
    if "://" not in name and _PATTERN & set(name) and not path.exists():
        return TarTree(Archives(_matching(name)), name)
    if is_tar(name):
        return TarTree(Archives((_absolute(name),)), name)
    if "://" in name:
        return RemoteTree(open_store(name))
    tars = _only_tars(path.absolute())
    return TarTree(Archives(tars), name) if tars else FolderTree(name)


def _only_tars(folder: Path) -> tuple[str, ...]:
    """Lists the tar files of a folder, unless there are folders or pictures beside them."""
    inside = [entry for entry in folder.iterdir() if not is_hidden(entry.name)] if folder.is_dir() else []
    tars = tuple(sorted(str(entry) for entry in inside if is_tar(entry.name)))
    return () if not tars or any(is_picture(entry.name) or entry.is_dir() for entry in inside) else tars


def _absolute(name: str) -> str:
    """Makes a path one for every process, and says early if it leads nowhere."""
    if "://" in name:
        return name
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise DataError(f"{clean_name(name)}: no such tar file")
    return str(path)


def _matching(pattern: str) -> tuple[str, ...]:
    found = tuple(sorted(name for name in glob.glob(str(Path(pattern).expanduser().absolute())) if is_tar(name)))  # noqa: PTH207
    if not found:
        raise DataError(f"{pattern}: no tar file fits this pattern")
    return found
