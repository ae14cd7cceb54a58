"""iNaturalist's JSON form, which is COCO's: `images`, `annotations` and `categories` name the species of each file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from g3dr.errors import DataError
from orchestrator.shards.layouts.placed import SPLIT_OF_FOLDER, UNLABELLED, Placed, stem_of
from orchestrator.shards.trees import TreeFile, clean_name


@dataclass(frozen=True)
class Annotation:
    """Species and split of one file; no split where the name of the JSON file says nothing about it."""

    species: str
    split: str | None


def read_annotations(files: Mapping[str, bytes]) -> dict[str, Annotation]:
    """Reads JSON files; one whose name begins with `train`, `val` or `test` says which split its pictures are.

    Args:
        files: Content by name.

    Returns:
        What is known, by the path that the JSON gives.

    Raises:
        DataError: A file is not of this form.
    """
    found: dict[str, Annotation] = {}
    for name, data in files.items():
        split = next((split for word, split in SPLIT_OF_FOLDER.items() if name.startswith(word)), None)
        try:
            found |= {clean_name(path): Annotation(clean_name(species), split) for path, species in _species(json.loads(data))}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{name}: expected JSON with images, annotations and categories, as iNaturalist has it") from error
    return found


def _species(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    names = {category["id"]: category["name"] for category in document["categories"]}
    categories = {annotation["image_id"]: annotation["category_id"] for annotation in document["annotations"]}
    for image in document["images"]:
        if image["id"] in categories:
            yield image["file_name"], names[categories[image["id"]]]


def place_by_annotations(files: list[TreeFile], known: Mapping[str, Annotation]) -> Iterator[Placed]:
    """Places pictures by what the JSON says of their path; its paths may begin above or below the tree's root."""
    by_end = {"/".join(path.split("/")[-2:]): annotation for path, annotation in known.items()}
    for file in files:
        path = clean_name(file.path)
        found = known.get(path) or by_end.get("/".join(path.split("/")[-2:]))
        if found is None:
            problem = "none of the files of labels names it"
            yield Placed(file, f"{UNLABELLED}/{stem_of(path)}", UNLABELLED, "train", problem)
        else:
            yield Placed(file, f"{found.species}/{stem_of(path)}", found.species, found.split)
