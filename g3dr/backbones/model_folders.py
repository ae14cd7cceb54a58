"""Models that are folders of files, as the hub gives them: which files belong to one, whether it is whole, what stands for its content.

Pickled weights, which may run code, belong to none.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from g3dr.backbones.finding import ALLOW_DOWNLOAD, downloads_allowed
from g3dr.backbones.places import sha256_of
from g3dr.errors import WeightsMissingError


def _nothing_more(folder: Path) -> None:
    """Most folders are whole if they have what is needed."""


@dataclass(frozen=True)
class FolderKind:
    """What a kind of model consists of.

    Attributes:
        title: Its name in sentences, such as `depth model`.
        cache: Name of the folder below the cache of weights where fetched ones lie.
        files: Patterns of the paths that belong to it; `*` does not reach over a `/`.
        needed: Patterns of which each must be there.
        left_out: Patterns of file names that do not belong to it although a pattern of `files` says so.
        check: Looks at a folder that has what is needed; raises WeightsMissingError where more is missing.
    """

    title: str
    cache: str
    files: tuple[str, ...]
    needed: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    check: Callable[[Path], None] = _nothing_more

    def has(self, path: str) -> bool:
        """Tells whether a file belongs to a model, by its path in the model's folder."""
        one = PurePosixPath(path)
        fits = any(len(one.parts) == len(PurePosixPath(pattern).parts) and one.match(pattern) for pattern in self.files)
        return fits and not any(one.match(pattern) for pattern in self.left_out)

    @property
    def description(self) -> str:
        """What must be there, in words."""
        return ", ".join(self.needed)


def folder_of(name: str, kind: FolderKind, revision: str | None = None) -> Path:
    """Returns the folder of a model: a folder of this machine as it is, a hub name from the hub's cache or, if allowed, from the hub.

    Args:
        name: A folder, or a hub name such as `owner/model`.
        kind: What it is.
        revision: Commit, tag or branch of a hub name.

    Raises:
        WeightsMissingError: It is not there, or not whole; says what to do.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return whole(folder, kind)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise WeightsMissingError(f"{name}: no such folder; a {kind.title} is a folder with {kind.description}, or a hub name OWNER/MODEL")
    return whole(_from_hub(name, kind, revision), kind)


def whole(folder: Path, kind: FolderKind) -> Path:
    """Returns `folder` if it has what a model needs.

    Raises:
        WeightsMissingError: Something is missing.
    """
    for pattern in kind.needed:
        if not any(folder.glob(pattern)):
            more = " (pickled weights are not opened: convert them)" if pattern == "*.safetensors" and any(folder.glob("*.bin")) else ""
            raise WeightsMissingError(f"{folder}: no {pattern} here{more}; a {kind.title} is a folder with {kind.description}")
    kind.check(folder)
    return folder


def fingerprint(folder: Path, kind: FolderKind) -> str:
    """Returns the first 16 hex digits of a SHA-256 over the paths and contents of a model's files; independent of where they lie."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and kind.has(path.relative_to(folder).as_posix())):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()[:16]


def _from_hub(name: str, kind: FolderKind, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 (slow to import)

    options: dict[str, Any] = {"revision": revision, "allow_patterns": list(kind.files), "ignore_patterns": list(kind.left_out) or None}
    try:
        return Path(snapshot_download(name, local_files_only=not downloads_allowed(), **options))
    except Exception as error:  # the client raises its own and its transport's families of errors
        at = f"{name}@{revision}" if revision else name
        tried = f" A download was tried and failed: {error}" if downloads_allowed() else ""
        raise WeightsMissingError(
            f"The {kind.title} {at} is not on this machine: fetch its files ({kind.description}) and name their folder or "
            f"s3://bucket/prefix instead, or set {ALLOW_DOWNLOAD}=1 to let this program fetch it from the hub.{tried}"
        ) from error
