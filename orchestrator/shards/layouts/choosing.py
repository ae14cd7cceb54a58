"""Which layout a tree has, by its names and by the files of labels that come with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from g3dr.errors import DataError
from orchestrator.experiment.folder_config import Layout
from orchestrator.shards.layouts.annotations import place_by_annotations, read_annotations
from orchestrator.shards.layouts.class_folders import is_taxonomy, place_in_class_folders, with_binomials
from orchestrator.shards.layouts.labels import numbers_of_kit, parse_labels
from orchestrator.shards.layouts.placed import Placed, folders_of, stem_of
from orchestrator.shards.trees import TreeFile

META = "meta.mat"


@dataclass(frozen=True)
class LabelFiles:
    """Files of labels and their content, by name without folders."""

    content: Mapping[str, bytes]

    @property
    def annotations(self) -> dict[str, bytes]:
        """Those in iNaturalist's form."""
        return {name: data for name, data in self.content.items() if name.endswith(".json")}

    @property
    def tables(self) -> dict[str, bytes]:
        """Those in ImageNet's forms."""
        return {name: data for name, data in self.content.items() if not name.endswith((".json", ".mat"))}


def place_all(files: list[TreeFile], root: str, layout: Layout, labels: LabelFiles) -> list[Placed]:
    """Gives every picture its species, split and key.

    Args:
        files: The pictures, sorted.
        root: Species of a tree without any folder.
        layout: See `FolderConfig`.
        labels: What names the classes of pictures outside of class folders.

    Raises:
        DataError: The labels cannot be read.
    """
    if labels.annotations:
        return list(place_by_annotations(files, read_annotations(labels.annotations)))
    placed = list(place_in_class_folders(files, root, _classes_of_flat_pictures(files, labels)))
    if layout == "inaturalist" or (layout == "auto" and is_taxonomy(files)):
        placed = list(with_binomials(placed))
    return placed


def _classes_of_flat_pictures(files: list[TreeFile], labels: LabelFiles) -> dict[str, str]:
    if not labels.tables:
        return {}
    flat = [stem_of(file.path) for file in files if len(folders_of(file.path)) == 1]
    classes = [folders[1] for file in files if len(folders := folders_of(file.path)) > 1]
    numbered = numbers_of_kit(labels.content[META]) if META in labels.content else {}
    found: dict[str, str] = {}
    for name, data in labels.tables.items():
        try:
            found |= parse_labels(data.decode(), flat, classes, numbered)
        except (DataError, UnicodeDecodeError) as error:
            raise DataError(f"{name}: {error}") from error
    return found
