"""A picture with its place in the dataset."""

from typing import NamedTuple

from orchestrator.shards.trees import TreeFile, clean_name

SPLIT_OF_FOLDER = {"train": "train", "test": "test", "val": "test"}
UNLABELLED = "unlabelled"


class Placed(NamedTuple):
    """A picture file and where it belongs.

    Attributes:
        file: The picture.
        key: Its name in the dataset.
        species: Its species or class.
        split: `train` or `test`; None where it is to be drawn.
        problem: Why it cannot be used; empty if nothing is known against it.
    """

    file: TreeFile
    key: str
    species: str
    split: str | None
    problem: str = ""


def stem_of(path: str) -> str:
    """Returns a file's name without folders and ending, as clean text."""
    name = path.rpartition("/")[2]
    return clean_name(name.rpartition(".")[0] or name)


def folders_of(path: str) -> list[str]:
    """Returns the folders above a file as clean text, outermost first."""
    return clean_name(path).split("/")[:-1]


def has_splits(files: list[TreeFile]) -> bool:
    """Tells whether every file lies in a folder named after a split."""
    return bool(files) and {file.path.partition("/")[0] for file in files} <= SPLIT_OF_FOLDER.keys()
