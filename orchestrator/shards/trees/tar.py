"""A tree in tar files: members are read where they lie, by an index of their offsets."""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from g3dr.errors import DataError
from orchestrator.shards.trees.archives import Archives, BinaryReader, Window
from orchestrator.shards.trees.base import TreeFile, clean_name, is_hidden

ENDINGS = (".tar", ".tar.gz", ".tgz")
SPLITS = {"train", "val", "test"}
_SPLIT_AT_THE_END = re.compile(r"(?:^|[_.-])(train|val|test)$")


def stem(name: str) -> str:
    """Returns a tar file's name without folder and ending."""
    last = name.rstrip("/").rpartition("/")[2]
    ending = next((ending for ending in ENDINGS if last.endswith(ending)), "")
    return last.removesuffix(ending)


def is_tar(name: str) -> bool:
    """Tells whether a name is that of a tar file."""
    return name.endswith(ENDINGS)


@dataclass(frozen=True)
class TarTree:
    """The members of one or more tar files as one tree; nothing is unpacked.

    Members without a folder lie in one named after their tar file; a tar file named after a split (`ILSVRC2012_img_train.tar`) is
    that split; a tar file inside another is a folder, as in ImageNet's. Where all members lie below one folder, the tree begins there.

    Attributes:
        archives: The tar files.
        called: What people call all of them together.
    """

    archives: Archives
    called: str

    @property
    def name(self) -> str:
        """See `Tree`."""
        return stem(self.called)

    def files(self) -> Iterator[TreeFile]:
        """See `Tree`."""
        return iter(_below_the_common_folder([file for name in self.archives.names for file in self._members(name)]))

    def read(self, file: TreeFile) -> bytes:
        """See `Tree`."""
        data = self.archives.read(file.archive, file.offset, file.size)
        if len(data) != file.size:
            raise DataError(f"{clean_name(file.archive)} ends before it does")
        return data

    def where(self, path: str) -> str:
        """See `Tree`."""
        return clean_name(f"{self.called}/{path}")

    def _members(self, name: str) -> Iterator[TreeFile]:
        split = _SPLIT_AT_THE_END.search(stem(name))
        alone = len(self.archives.names) == 1
        with self.archives.opened(name) as reader:
            for file in _index(reader, name, ""):
                yield file._replace(path=_placed(file.path, stem(name), split.group(1) if split else "", alone=alone))


def _placed(path: str, name: str, split: str, *, alone: bool) -> str:
    first = path.partition("/")[0]
    if split:
        return path if first in SPLITS else f"{split}/{path}"
    return path if alone or "/" in path else f"{name}/{path}"


def _index(reader: BinaryReader, archive: str, prefix: str) -> Iterator[TreeFile]:
    try:
        with tarfile.open(fileobj=reader, mode="r:") as members:
            for member in members:
                if _is_wanted(member):
                    yield from _entries(reader, member, archive, prefix)
                members.members.clear()  # type: ignore[attr-defined]  # it would keep all of a million
            _refuse_early_end(reader, members.offset)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{clean_name(archive)}: not a tar file, or damaged ({error})") from error


def _refuse_early_end(reader: BinaryReader, offset: int) -> None:
    """A whole tar file ends with a block of zeros; tarfile takes nonsense or nothing for an end, too."""
    reader.seek(offset)
    if reader.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError(f"it ends or breaks off at byte {offset}")


def _is_wanted(member: tarfile.TarInfo) -> bool:
    parts = PurePosixPath(member.name).parts
    return member.isreg() and not member.issparse() and ".." not in parts and not any(is_hidden(part) for part in parts)


def _entries(reader: BinaryReader, member: tarfile.TarInfo, archive: str, prefix: str) -> Iterator[TreeFile]:
    path = prefix + "/".join(part for part in PurePosixPath(member.name).parts if part != "/")
    if member.name.endswith(".tar"):
        inner = Window(reader, member.offset_data, member.size)
        for file in _index(inner, archive, f"{path.removesuffix('.tar')}/"):
            yield file._replace(offset=file.offset + member.offset_data)
    else:
        yield TreeFile(path, member.size, int(member.mtime), archive, member.offset_data)


def _below_the_common_folder(files: list[TreeFile]) -> list[TreeFile]:
    """Takes the folder away that `tar cf photos.tar photos` puts above everything."""
    first = {file.path.partition("/")[0] for file in files}
    if len(first) != 1 or first <= SPLITS or not all(file.path.count("/") > 1 for file in files):
        return files
    return [file._replace(path=file.path.partition("/")[2]) for file in files]
