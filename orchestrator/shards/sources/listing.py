"""What is in a tree of pictures: listed once, without reading any of them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from g3dr.errors import DataError
from orchestrator.experiment.folder_config import FolderConfig
from orchestrator.shards.layouts.choosing import META, LabelFiles
from orchestrator.shards.layouts.labels import KNOWN_NAMES
from orchestrator.shards.trees import Tree, TreeFile, clean_name
from orchestrator.shards.trees.base import is_picture
from orchestrator.store import open_store


@dataclass(frozen=True)
class Listing:
    """Pictures, depth maps and labels of a tree.

    Attributes:
        pictures: Without the depth maps, sorted by path.
        depths: Depth maps by path.
        labels: Files that name classes.
        depth_suffix: See `FolderConfig`.
        parallel: The depth maps are in a tree of their own, where `name.png` is one too.
        files: Digest over name, size and time of change of all pictures and the depth maps beside them.
    """

    pictures: list[TreeFile]
    depths: Mapping[str, TreeFile]
    labels: LabelFiles
    depth_suffix: str
    parallel: bool
    files: str

    def digests(self) -> dict[str, str]:
        """Returns what stands for the files in the description of a source."""
        found = {"files": self.files}
        if self.parallel:
            found["depth_files"] = _digest(self.depths.values())
        if self.labels.content:
            every = b"".join(hashlib.sha256(data).digest() for _, data in sorted(self.labels.content.items()))
            found["labels"] = hashlib.sha256(every).hexdigest()[:16]
        return found

    def depth_of(self, picture: TreeFile) -> TreeFile | None:
        """Returns the depth map of a picture, if there is one."""
        folder, slash, name = picture.path.rpartition("/")
        base = f"{folder}{slash}{name.rpartition('.')[0] or name}"
        found = self.depths.get(base + self.depth_suffix)
        return found or (self.depths.get(f"{base}.png") if self.parallel else None)


def list_pictures(config: FolderConfig, tree: Tree, depth_tree: Tree) -> Listing:
    """Lists a tree, and the parallel one of the depth maps if there is one.

    Raises:
        DataError: There is no such tree, or a file of labels is missing.
    """
    found, small = [], []
    for file in tree.files():
        if is_picture(file.path):
            found.append(file)
        elif "/" not in file.path:
            small.append(file)
    found.sort(key=_by_parts)
    pictures = [file for file in found if not file.path.endswith(config.depth_suffix)]
    wanted = [file for file in pictures if config.splits is None or file.path.partition("/")[0] in config.splits]
    return Listing(
        pictures=wanted,
        depths=_depths(config, found, depth_tree),
        labels=LabelFiles(_labels(config, tree, small)),
        depth_suffix=config.depth_suffix,
        parallel=config.depth_root is not None,
        files=_digest(found),
    )


def _by_parts(file: TreeFile) -> str:
    # A folder's files come before those of `folder b`, as when paths are compared part by part.
    return file.path.replace("/", "\0")


def _depths(config: FolderConfig, found: list[TreeFile], tree: Tree) -> dict[str, TreeFile]:
    if config.depth == "none":
        return {}
    if config.depth_root is not None:
        found = sorted((file for file in tree.files() if is_picture(file.path)), key=_by_parts)
        return {file.path: file for file in found}
    return {file.path: file for file in found if file.path.endswith(config.depth_suffix)}


def _digest(files: Iterable[TreeFile]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.path}\0{file.size}\0{file.stamp}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _labels(config: FolderConfig, tree: Tree, beside: list[TreeFile]) -> dict[str, bytes]:
    """Reads the files of labels that are named, or those of known name at the top of the tree."""
    if not config.labels:
        return {file.path: tree.read(file) for file in beside if file.path in {*KNOWN_NAMES, META}}
    found = {name.rpartition("/")[2]: _read(name) for name in config.labels}
    for name in config.labels:
        folder = name.rpartition("/")[0] or "."
        if not name.endswith((".json", ".csv")) and "://" not in name and (meta := Path(folder, META)).is_file():
            found.setdefault(META, meta.read_bytes())
    return found


def _read(name: str) -> bytes:
    folder, _, file = name.rpartition("/")
    try:
        return open_store(folder or ("/" if name.startswith("/") else ".")).read_bytes(file)
    except FileNotFoundError as error:
        raise DataError(f"{clean_name(name)}: no such file of labels") from error
