"""The working directory of a job: which files travel, and the package that holds them.

What git tracks and what is neither tracked nor ignored, where the folder lies in a checkout; else all files but those that `.gitignore`
and `.rayignore` name. Of these, what `staying` says stays at home.
"""

import hashlib
import io
import os
import stat
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from g3dr.errors import G3drError
from orchestrator.cluster.submitting.staying import IGNORED, LINK, is_cache, ledgers_among, reason_to_stay

MOST_BYTES = 99 * 2**20
"""Ray's dashboard takes no request above 100 MiB, though the control store behind it would hold 512."""

MOST_FILES = 20_000
"""More than these are hardly the code of one project."""

_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same files make the same package, whenever it is made
_PLAIN, _EXECUTABLE = 0o644, 0o755


class PackageError(G3drError):
    """A working directory that cannot travel."""


@dataclass(frozen=True)
class Contents:
    """What travels of a folder.

    Attributes:
        folder: The working directory.
        sizes: Bytes of each file that travels, by its path, in order.
        staying: Paths that stay at home, by reason (`staying.REASONS`).
        checkout: Whether git said which files there are.
    """

    folder: Path
    sizes: Mapping[str, int]
    staying: Mapping[str, tuple[str, ...]]
    checkout: bool

    @property
    def size(self) -> int:
        """Bytes of all files that travel."""
        return sum(self.sizes.values())

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Reads the files that travel.

        Raises:
            PackageError: One cannot be read.
        """
        for path in self.sizes:
            try:
                yield path, (self.folder / path).read_bytes()
            except OSError as error:
                raise PackageError(f"{path} cannot be packed: {error.strerror}") from None


def working_folder(file: Path, given: Path | None) -> Path:
    """Returns the folder that travels: the given one, else the checkout in which the experiment's file lies, else the current folder.

    Raises:
        PackageError: It is no folder, or the file does not lie in it.
    """
    folder = (given or _checkout(file.resolve().parent) or Path.cwd()).resolve()
    if not folder.is_dir():
        raise PackageError(f"--working-dir {given} is not a folder")
    if not file.resolve().is_relative_to(folder):
        raise PackageError(f"{file} does not lie in {folder}, which is what travels; name another folder with --working-dir")
    return folder


def look(folder: Path) -> Contents:
    """Finds out what travels of a folder.

    Raises:
        PackageError: There are too many files.
    """
    found, from_git = _files(folder)
    ignored = _ignore_file(folder / ".rayignore")
    sizes, staying = dict[str, int](), dict[str, list[str]]()
    ledgers = ledgers_among(found)
    for path in sorted(found):
        reason = IGNORED if ignored.match_file(path) else _reason(folder, path, ledgers)
        if reason is None:
            sizes[path] = (folder / path).stat().st_size
        else:
            staying.setdefault(reason, []).append(path)
    return Contents(folder, sizes, {reason: tuple(paths) for reason, paths in staying.items()}, from_git)


def pack(contents: Contents) -> tuple[bytes, str]:
    """Returns the package, a ZIP file, and a digest of what is in it.

    Raises:
        PackageError: A file cannot be read, or the package is larger than Ray takes.
    """
    buffer, digest = io.BytesIO(), hashlib.sha256()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for path, data in contents.read():
            mode = _EXECUTABLE if os.access(contents.folder / path, os.X_OK) else _PLAIN
            entry = zipfile.ZipInfo(path, _MOMENT)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | mode) << 16
            package.writestr(entry, data)
            digest.update(f"{path}\0{mode:o}\0{len(data)}\0".encode() + data)
    if buffer.tell() > MOST_BYTES:
        raise PackageError(
            f"the package has {buffer.tell() / 2**20:,.0f} MB, and Ray takes {MOST_BYTES // 2**20}: "
            "leave folders out with a .rayignore file, or name a smaller folder with --working-dir"
        )
    return buffer.getvalue(), digest.hexdigest()


def _reason(folder: Path, path: str, ledgers: frozenset[str]) -> str | None:
    """A link is judged by the file that it leads to as well, which must lie in the folder."""
    real = (folder / path).resolve()
    if not real.is_file() or not real.is_relative_to(folder):
        return LINK
    size, target = real.stat().st_size, real.relative_to(folder).as_posix()
    return reason_to_stay(path, size, ledgers) or reason_to_stay(target, size, ledgers)


def _files(folder: Path) -> tuple[list[str], bool]:
    """Returns the relative paths of all files, and whether git found them."""
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard") if _checkout(folder) else None
    found = _walk(folder) if listed is None else [path for path in listed.split("\0") if path and os.path.lexists(folder / path)]
    paths: list[str] = []
    for path in found:
        if len(paths) == MOST_FILES:
            raise PackageError(f"{folder} has more than {MOST_FILES:,} files; name the project's folder with --working-dir")
        if not is_cache(path):
            paths.append(path)
    return list(dict.fromkeys(paths)), listed is not None


def _walk(folder: Path) -> Iterator[str]:
    ignored = _ignore_file(folder / ".gitignore") + _ignore_file(folder / ".rayignore")
    for parent, folders, names in os.walk(folder):
        here = Path(parent).relative_to(folder)
        folders[:] = [name for name in folders if not is_cache(name) and not ignored.match_file(f"{(here / name).as_posix()}/")]
        yield from ((here / name).as_posix() for name in names if not ignored.match_file((here / name).as_posix()))


def _ignore_file(file: Path) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return GitIgnoreSpec.from_lines([])


def _checkout(folder: Path) -> Path | None:
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(top.strip()) if top and top.strip() else None


def _git(folder: Path, *words: str) -> str | None:
    """Returns what git says, None where there is no git or no checkout."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout)
