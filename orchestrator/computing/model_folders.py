"""Models that are folders, in object storage: fetched file by file, they lie together in a folder named by their fingerprint."""

import shutil
import tempfile
from pathlib import Path

from g3dr.backbones.model_folders import FolderKind, fingerprint
from g3dr.backbones.places import cache_folder
from g3dr.errors import WeightsMissingError
from orchestrator.computing.fetching import local_file
from orchestrator.store import StoreError, open_store, without_credentials


def fetched_folder(uri: str, kind: FolderKind, known: str = "") -> Path:
    """Returns the folder of a model that has a URI, on this machine.

    Args:
        uri: `s3://bucket/prefix` of its files.
        kind: What it is.
        known: Its fingerprint, if somebody has fetched it before; nothing is fetched where it lies in the cache already.

    Raises:
        WeightsMissingError: There is no model at the URI, or it cannot be fetched.
    """
    if known and _place(known, kind).is_dir():
        return _place(known, kind)
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=cache_folder()) as name:
        folder = Path(name) / "model"
        folder.mkdir()
        for file in _files(uri, kind):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            _link(local_file(_joined(uri, file)), folder / file)
        place = _place(fingerprint(folder, kind), kind)
        if not place.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(place)
    return place


def _place(known: str, kind: FolderKind) -> Path:
    return cache_folder() / kind.cache / known


def _files(uri: str, kind: FolderKind) -> list[str]:
    try:
        found = [name for name in open_store(uri).list() if kind.has(name)]
    except StoreError as error:
        raise WeightsMissingError(f"{without_credentials(uri)}: cannot be read ({error})") from error
    if not found:
        raise WeightsMissingError(f"{without_credentials(uri)}: no {kind.title} here; expected {kind.description}")
    return found


def _joined(uri: str, file: str) -> str:
    path, mark, options = uri.partition("?")
    return f"{path.rstrip('/')}/{file}{mark}{options}"


def _link(file: Path, target: Path) -> None:
    try:
        target.hardlink_to(file)
    except OSError:  # a cache on a disk without hard links
        shutil.copyfile(file, target)
