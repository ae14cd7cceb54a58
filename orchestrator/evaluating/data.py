"""The data set that a person names on the command line."""

from pathlib import Path

from g3dr.errors import DataError, did_you_mean
from orchestrator.shards.manifest import MANIFEST, read_manifest
from orchestrator.shards.selection import Selection
from orchestrator.store import Store, open_store

_FOLDER = "datasets"


def find_selection(name: str, root: Store, split: str, species: tuple[str, ...] | None) -> Selection:
    """Returns the rows of a packed data set.

    Args:
        name: Its folder or URI, its path below the root, or the name that an experiment of the root gave it.
        root: Where results are kept.
        split: `train` or `test`.
        species: Only these; None for all.

    Raises:
        DataError: There is no such data set, several have the name, or it has no such rows.
    """
    store = _location(name, root)
    manifest = read_manifest(store)
    if manifest is None:
        raise DataError(f"{name}: {_unknown(name, root)}")
    selection = Selection(store.uri, manifest.version, split, species)
    selection.shards_of(manifest)
    return selection


def _location(name: str, root: Store) -> Store:
    if "://" in name or Path(name).is_absolute():
        return open_store(name)
    if root.exists(f"{name}/{MANIFEST}"):
        return root.child(name)
    named = [folder for folder in _folders(root) if folder.rpartition("-")[0] == name or folder == name]
    if len(named) > 1:
        raise DataError(
            f"{name}: {len(named)} data sets of this name in {root.uri}; name one: {', '.join(f'{_FOLDER}/{it}' for it in named)}"
        )
    return root.child(f"{_FOLDER}/{named[0]}") if named else open_store(name)


def _folders(root: Store) -> list[str]:
    paths = [path.split("/") for path in root.list(_FOLDER)]
    return sorted({parts[1] for parts in paths if len(parts) == 3 and parts[2] == MANIFEST})


def _unknown(name: str, root: Store) -> str:
    names = sorted({folder.rpartition("-")[0] for folder in _folders(root)})
    hint = did_you_mean(name, names) or (f"{root.uri} has {', '.join(names)}" if names else f"{root.uri} has none")
    return f"no packed data set here, nor of this name below the root; {hint} (`g3dr data pack` makes one)"
