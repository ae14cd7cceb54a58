"""Places that the user names for weights: a file or a URI each, with its SHA-256.

`G3DR_WEIGHTS_CLIP_VIT_B16=s3://bucket/clip.safetensors#sha256=...` names one network's file; the environment travels to every
machine of a cluster, and the experiment file stays the same everywhere. Files with a URI are fetched by the orchestrator into a
cache named by their SHA-256, from which they are read here.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from g3dr.errors import CheckpointError, ConfigError

CACHE_FOLDER = "G3DR_CACHE"
_SETTING = "G3DR_WEIGHTS_"
_MARK = "#sha256="


def setting_of(name: str) -> str:
    """Returns the environment variable that names the file of these weights, such as G3DR_WEIGHTS_VGG16."""
    return _SETTING + name.upper().replace("-", "_")


def cache_folder() -> Path:
    """Returns the folder of fetched files: below G3DR_CACHE, or ~/.cache/g3dr if that is not set; it need not exist yet."""
    top = os.environ.get(CACHE_FOLDER) or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "g3dr"
    return Path(top).expanduser() / "weights"


def cached_file(sha256: str, file_name: str) -> Path:
    """Returns where a fetched file lies; it need not be there yet."""
    return cache_folder() / sha256 / file_name


@dataclass(frozen=True)
class Place:
    """Where a file lies.

    Attributes:
        location: Path or URI.
        sha256: What it must be; None if that was not said.
        setting: Who says so, for messages.
    """

    location: str
    sha256: str | None
    setting: str

    @classmethod
    def parse(cls, text: str, setting: str) -> "Place":
        """Reads `LOCATION` or `LOCATION#sha256=<64 hex digits>`.

        Raises:
            ConfigError: What follows the mark is no SHA-256.
        """
        location, mark, sha256 = text.strip().partition(_MARK)
        if mark and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
            raise ConfigError(setting, text, f"PATH or URI, with {_MARK} and 64 hexadecimal digits behind it")
        return cls(location, sha256.lower() or None, setting)

    @classmethod
    def of(cls, name: str) -> "Place | None":
        """Returns the place that the environment names for these weights, if it does.

        Raises:
            ConfigError: It names a URI without its SHA-256: on many machines nobody could tell whether all have the same file.
        """
        setting = setting_of(name)
        if not os.environ.get(setting):
            return None
        place = cls.parse(os.environ[setting], setting)
        if place.is_remote and not place.sha256:
            raise ConfigError(setting, place.location, f"a path, or a URI with {_MARK} and its 64 hexadecimal digits behind it")
        return place

    @property
    def is_remote(self) -> bool:
        """Whether it is a URI."""
        return "://" in self.location

    @property
    def file_name(self) -> str:
        """The last part of the location."""
        return self.location.rstrip("/").rpartition("/")[2] or "file"

    def local(self) -> Path:
        """Returns the path, which in the case of a URI is that in the cache; the file need not be there."""
        return cached_file(self.sha256 or "", self.file_name) if self.is_remote else Path(self.location).expanduser()

    def checked(self) -> Path:
        """Returns the path after comparing the file with the SHA-256.

        Raises:
            CheckpointError: It is another file.
        """
        path = self.local()
        if self.sha256 and path.is_file() and sha256_of(path) != self.sha256:
            raise CheckpointError(f"{path}: its SHA-256 is {sha256_of(path)}, {self.setting} says {self.sha256}")
        return path


def sha256_of(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file; computed once per version of the file and process."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 (they tell versions of the file apart)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
