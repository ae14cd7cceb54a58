"""What the packer wants of a tree of files."""

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple, Protocol

PICTURES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".jp2", ".avif", ".heic", ".heif")
)
"""Endings of pictures; some of them may turn out not to be readable, and are then left out with that reason."""

_NO_CHARACTER = "\ufffd"
_CONTROL, _SURROGATE = "Cc", "Cs"


class TreeFile(NamedTuple):
    """A file of a tree, as cheap as a million of them need.

    Attributes:
        path: Relative to the tree, with `/`.
        size: In bytes.
        stamp: Changes when the file does: nanoseconds of its last change.
        archive: The tar file that holds it; empty outside of tar files.
        offset: Where it begins in `archive`, bytes.
    """

    path: str
    size: int
    stamp: int
    archive: str = ""
    offset: int = 0


class Tree(Protocol):
    """Files below one root; travels to other processes by pickle, without its listing."""

    @property
    def name(self) -> str:
        """What a class is called that is the whole tree."""

    def files(self) -> Iterator[TreeFile]:
        """Lists all files that are not hidden, in any order, without reading them.

        Raises:
            DataError: There is no such tree.
            StoreError: It cannot be listed.
        """

    def read(self, file: TreeFile) -> bytes:
        """Reads one file.

        Raises:
            DataError: It vanished or cannot be read.
            StoreError: The storage failed, which says nothing about the file.
        """

    def where(self, path: str) -> str:
        """Returns what people call a file of the tree."""


def clean_name(name: str) -> str:
    """Returns a name as text that every file and terminal can hold: composed Unicode, without control or undecodable characters."""
    if name.isascii() and name.isprintable():  # nearly all of a million
        return name
    composed = unicodedata.normalize("NFC", name)
    return "".join(_NO_CHARACTER if unicodedata.category(letter) in {_CONTROL, _SURROGATE} else letter for letter in composed)


def is_picture(name: str) -> bool:
    """Tells whether a name ends like a picture's."""
    return f".{name.rpartition('.')[2].lower()}" in PICTURES


def is_hidden(name: str) -> bool:
    """Tells whether a name is one that people do not see: `.DS_Store`, `._cat.jpg`, `__MACOSX`."""
    return name.startswith(".") or name == "__MACOSX"
