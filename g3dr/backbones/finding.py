"""Where weights are looked for, in this order: a file or URI that the user names, the folder G3DR_WEIGHTS, an installed package or
the cache of its usual source, the network.

The network is used only where the user allows it with G3DR_ALLOW_DOWNLOAD=1, and never while HF_HUB_OFFLINE is set.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from g3dr.backbones.places import Place, setting_of, sha256_of
from g3dr.backbones.sources import SOURCES, WeightsName, WeightSource
from g3dr.errors import CheckpointError, WeightsMissingError

WEIGHTS_FOLDER = "G3DR_WEIGHTS"
ALLOW_DOWNLOAD = "G3DR_ALLOW_DOWNLOAD"


@dataclass(frozen=True)
class Candidate:
    """A file that may hold the weights, and who says so."""

    path: Path
    source: str


def downloads_allowed() -> bool:
    """Tells whether the user allows the network: G3DR_ALLOW_DOWNLOAD is on and HF_HUB_OFFLINE is not."""
    return _switched_on(ALLOW_DOWNLOAD) and not _switched_on("HF_HUB_OFFLINE")


def _switched_on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in {"1", "true", "yes", "on"}


def find_weights(name: WeightsName, path: Path | None = None) -> Path:
    """Returns the file with the weights, verified where its name or its setting carries a hash.

    Args:
        name: Which weights.
        path: A file that the caller names; no other place is tried then.

    Raises:
        WeightsMissingError: They are in none of the places; says what to fetch and where to put it.
        CheckpointError: The file does not have the hash that its name or its setting promises.
        ConfigError: A setting cannot be read.
    """
    source, place = SOURCES[name], Place.of(name)
    if path is None and place is not None:
        return verified(_named(source, place))
    found = path if path is not None else _search(name)
    if found is None or not found.is_file():
        raise WeightsMissingError(missing(name, path))
    return verified(found)


def _named(source: WeightSource, place: Place) -> Path:
    path = place.checked()
    if path.is_file():
        return path
    if place.is_remote:
        raise WeightsMissingError(
            f"{source.title}: {place.location} ({place.setting}) has not been fetched to {path}; `g3dr weights fetch` does"
        )
    raise WeightsMissingError(f"{source.title}: there is no weights file at {path}, which {place.setting} names")


def candidates(name: WeightsName) -> list[Candidate]:
    """Returns the places on this machine that are searched where no setting names a file; the files need not be there."""
    source, folder = SOURCES[name], os.environ.get(WEIGHTS_FOLDER)
    found = [Candidate(Path(folder).expanduser() / file_name, WEIGHTS_FOLDER) for file_name in source.file_names] if folder else []
    local = source.local()
    usual = "package" if source.download is None else "cache"
    return [*found, Candidate(local, usual)] if local is not None else found


def _search(name: WeightsName) -> Path | None:
    source = SOURCES[name]
    found = next((candidate.path for candidate in candidates(name) if candidate.path.is_file()), None)
    if found is None and source.download is not None and downloads_allowed():
        return _downloaded(name, source.download)
    return found


def _downloaded(name: WeightsName, download: Callable[[], Path]) -> Path:
    try:
        return download()
    except Exception as error:  # every client raises its own family of network errors
        raise WeightsMissingError(f"{missing(name)} A download was tried and failed: {error}") from error


def missing(name: WeightsName, path: Path | None = None) -> str:
    """Returns the sentence that says what to fetch and where to put it."""
    source = SOURCES[name]
    if path is not None:
        return f"{source.title}: there is no weights file at {path}; needed is {source.origin}."
    if source.download is None:
        return (
            f"The weights of {source.title} are missing: {source.origin}, or put {source.file_names[0]} into the folder "
            f"that the environment variable {WEIGHTS_FOLDER} names."
        )
    return (
        f"The weights of {source.title} are missing: fetch {source.origin} and put it into the folder that the environment variable "
        f"{WEIGHTS_FOLDER} names, name the file or its URI with {setting_of(name)}, or set {ALLOW_DOWNLOAD}=1 to let this program fetch it."
    )


def verified(path: Path) -> Path:
    """Returns `path` after comparing the file with the hash in its name, if there is one.

    Raises:
        CheckpointError: They differ.
    """
    match = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if match and not sha256_of(path).startswith(match.group(1)):
        raise CheckpointError(f"{path} is damaged: its SHA-256 begins with {sha256_of(path)[:8]}, its name promises {match.group(1)}.")
    return path
