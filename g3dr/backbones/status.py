"""What is known of every set of weights on this machine; nothing is loaded, nothing is fetched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from g3dr.backbones.finding import ALLOW_DOWNLOAD, WEIGHTS_FOLDER, candidates, downloads_allowed, verified
from g3dr.backbones.places import Place, setting_of, sha256_of
from g3dr.backbones.sources import SOURCES, WeightsName
from g3dr.errors import CheckpointError

State = Literal["ready", "not fetched", "missing", "damaged"]


@dataclass(frozen=True)
class WeightsStatus:
    """One set of weights.

    Attributes:
        name: Which.
        purpose: What needs it.
        state: `not fetched` is a URI whose file is not here yet, or a download that is allowed.
        source: Who names the file (a setting, the folder G3DR_WEIGHTS, a package, a cache), or where it would come from.
        path: The file, if there is one.
        size: Bytes; of a file that is not here, about.
        sha256: Of the file, or what the setting expects.
        licence: Under which licence it is given.
        advice: What to do; empty if it is ready.
    """

    name: WeightsName
    purpose: str
    state: State
    source: str
    path: str | None
    size: int
    sha256: str | None
    licence: str
    advice: str


def weights_status() -> list[WeightsStatus]:
    """Returns the state of all weights.

    Raises:
        ConfigError: A setting cannot be read.
    """
    return [_status_of(name) for name in SOURCES]


def _status_of(name: WeightsName) -> WeightsStatus:
    place = Place.of(name)
    if place is not None:
        return _of_place(name, place)
    found = next((candidate for candidate in candidates(name) if candidate.path.is_file()), None)
    if found is not None:
        return _of_file(name, found.path, found.source)
    source = SOURCES[name]
    if source.download is not None and downloads_allowed():
        return _absent(name, "not fetched", source.origin, "g3dr weights fetch brings it, or the first run that needs it")
    return _absent(name, "missing", source.origin, _advice(name))


def _advice(name: WeightsName) -> str:
    source = SOURCES[name]
    if source.download is None:
        return f"{source.origin}; or put {source.file_names[0]} into the folder {WEIGHTS_FOLDER}"
    return f"fetch {source.origin}; put it into the folder {WEIGHTS_FOLDER}, or name it with {setting_of(name)}, or set {ALLOW_DOWNLOAD}=1"


def _of_place(name: WeightsName, place: Place) -> WeightsStatus:
    path, said = place.local(), f"{place.setting}={place.location}"
    if path.is_file():
        return _of_file(name, path, said, place)
    if place.is_remote:
        return _absent(name, "not fetched", said, "g3dr weights fetch brings it, or the first run that needs it", place.sha256)
    return _absent(name, "missing", said, f"{place.setting} names {path}, where there is no file", place.sha256)


def _of_file(name: WeightsName, path: Path, source: str, place: Place | None = None) -> WeightsStatus:
    entry, size, sha256 = SOURCES[name], path.stat().st_size, sha256_of(path)
    try:
        verified(place.checked() if place else path)
    except CheckpointError as error:
        return WeightsStatus(name, entry.purpose, "damaged", source, str(path), size, sha256, entry.licence, str(error))
    return WeightsStatus(name, entry.purpose, "ready", source, str(path), size, sha256, entry.licence, "")


def _absent(name: WeightsName, state: State, source: str, advice: str, sha256: str | None = None) -> WeightsStatus:
    entry = SOURCES[name]
    return WeightsStatus(name, entry.purpose, state, source, None, entry.size, sha256, entry.licence, advice)
