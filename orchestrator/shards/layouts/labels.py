"""Files that name the classes of pictures outside of class folders, in the forms in which ImageNet's validation labels go around."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from g3dr.errors import DataError
from orchestrator.shards.layouts.placed import stem_of

KNOWN_NAMES = ("LOC_val_solution.csv", "ILSVRC2012_validation_ground_truth.txt", "imagenet_2012_validation_synset_labels.txt")
_WNID = re.compile(r"^n\d{8}$")
_NUMBER_AT_THE_END = re.compile(r"(\d+)$")


def parse_labels(text: str, names: Iterable[str], classes: Sequence[str], numbered: Mapping[int, str]) -> dict[str, str]:
    """Reads a file of labels in any of the five usual forms.

    Args:
        text: `ImageId,PredictionString` with a wnid first in the second column; lines of name and class; lines of name and number
            in the order of the sorted classes (from 0); lines of classes alone; or lines of numbers alone (from 1).
        names: Stems of the pictures that are labelled by position, in any order; their own numbers say which line is theirs.
        classes: The class folders there are, for numbers that count them.
        numbered: What a number alone means, from the development kit's `meta.mat`.

    Returns:
        Class by stem of the picture's name.

    Raises:
        DataError: None of these forms.
    """
    rows = [row for row in _rows(text) if row]
    if not rows:
        raise DataError("the file of labels is empty")
    if len(rows[0]) == 1:
        return _by_position([row[0] for row in rows], names, numbered)
    ordered = sorted(set(classes))
    return {stem_of(row[0]): _class_of(row[1], ordered) for row in rows if row[0] != "ImageId"}


def _rows(text: str) -> list[list[str]]:
    lines = text.splitlines()
    if lines and "," in lines[0]:
        return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text))]
    return [line.split() for line in lines]


def _class_of(label: str, classes: Sequence[str]) -> str:
    """Returns the class of `n03995372 85 1 499 272` (a wnid and a box), of a wnid, or of a number."""
    word = label.split(maxsplit=1)[0] if label.split() else ""
    if not word.isdigit():
        return word
    if int(word) >= len(classes):
        raise DataError(f"label {word} counts classes from 0, but there are only {len(classes)} class folders")
    return classes[int(word)]


def _by_position(labels: Sequence[str], names: Iterable[str], numbered: Mapping[int, str]) -> dict[str, str]:
    meanings = [_meaning(label, numbered) for label in labels]
    found = {}
    for name in names:
        match = _NUMBER_AT_THE_END.search(name)
        if match and 1 <= int(match.group(1)) <= len(meanings):
            found[name] = meanings[int(match.group(1)) - 1]
    return found


def _meaning(label: str, numbered: Mapping[int, str]) -> str:
    if _WNID.match(label):
        return label
    if label.isdigit() and int(label) in numbered:
        return numbered[int(label)]
    if label.isdigit():
        raise DataError("the labels are numbers of the ILSVRC2012 development kit; put its meta.mat beside them, which says what they mean")
    raise DataError(f"{label!r} is no label: expected a wnid such as n01440764, a number, or a name and one of these on every line")


def numbers_of_kit(data: bytes) -> dict[int, str]:
    """Reads what the numbers of ImageNet's development kit mean from its `meta.mat`.

    Raises:
        DataError: It is no such file.
    """
    from scipy.io import loadmat  # noqa: PLC0415  a second to import, for a file that few have

    try:
        synsets = loadmat(io.BytesIO(data), squeeze_me=True)["synsets"]
        return {int(number): str(wnid) for number, wnid in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)}
    except Exception as error:  # scipy raises almost anything for what is no such file
        raise DataError("meta.mat: not the one of ImageNet's development kit") from error
