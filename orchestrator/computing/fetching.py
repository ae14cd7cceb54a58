"""Brings weights files that have a URI to this machine, checked by SHA-256, into a cache that is named by it."""

import hashlib
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from g3dr.backbones.places import Place, cache_folder, cached_file
from g3dr.backbones.sources import SOURCES, WeightsName
from g3dr.errors import WeightsMissingError
from orchestrator.store import StoreError, open_parent, without_credentials

_BLOCK = 8 * 2**20
_TIMEOUT_SECONDS = 60


def local_file(text: str) -> Path:
    """Returns the file that `text` names, on this machine: a path as it is, a URI fetched into the cache.

    Args:
        text: A path, `s3://...`, `https://...` or `file://...`, each with `#sha256=<64 hex digits>` behind it if it is to be checked.

    Raises:
        WeightsMissingError: The URI gives no file, or another one than its SHA-256 says.
        CheckpointError: The file does not have that SHA-256.
    """
    place = Place.parse(text, "the name of the file")
    return fetched(place) if place.is_remote else place.checked()


def fetch_weights(names: Iterable[WeightsName] = tuple(SOURCES)) -> dict[WeightsName, Path]:
    """Fetches the weights for which the environment names a URI, unless they are here already; returns their files.

    Raises:
        ConfigError: A setting cannot be read.
        WeightsMissingError: A URI gives no file, or another one than its SHA-256 says.
    """
    places = {name: Place.of(name) for name in names}
    return {name: fetched(place) for name, place in places.items() if place is not None and place.is_remote}


def fetched(place: Place) -> Path:
    """Returns the cached file of a URI, fetching it first if need be; it appears whole or not at all.

    Raises:
        WeightsMissingError: There is nothing at the URI, or something else than its SHA-256 says.
    """
    if place.sha256 and cached_file(place.sha256, place.file_name).is_file():
        return cached_file(place.sha256, place.file_name)
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=cache_folder()) as folder:
        part = Path(folder) / "part"
        with _opened(place.location) as stream:
            sha256 = _copied(stream, part)
        if place.sha256 and sha256 != place.sha256:
            shown = without_credentials(place.location)
            raise WeightsMissingError(f"{shown}: its SHA-256 is {sha256}, expected was {place.sha256}; nothing of it was kept")
        target = cached_file(sha256, place.file_name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(part, target)
    return target


def _copied(stream: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while block := stream.read(_BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


@contextmanager
def _opened(uri: str) -> Iterator[Any]:
    scheme = uri.partition("://")[0]
    try:
        if scheme in ("http", "https"):
            with urllib.request.urlopen(uri, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 (the scheme was looked at)
                yield answer
            return
        store, name = open_parent(uri)
        if not store.exists(name):
            raise WeightsMissingError(f"{without_credentials(uri)}: there is no file here")
        with store.open_file(name) as stream:
            yield stream
    except (urllib.error.URLError, OSError, StoreError) as error:
        raise WeightsMissingError(f"{without_credentials(uri)}: cannot be fetched ({error})") from error
