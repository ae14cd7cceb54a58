"""Class folders: `<species>/name.jpg`, `train/<species>/name.jpg`, or a flat folder, which is one species.

ImageNet's tree is the second, with a wnid for species; its validation pictures may lie flat in `val/` if a file of labels names their
classes. iNaturalist's is the second too, with folders whose long names end in genus and species.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from orchestrator.shards.layouts.placed import SPLIT_OF_FOLDER, UNLABELLED, Placed, folders_of, has_splits, stem_of
from orchestrator.shards.trees import TreeFile, clean_name

# 00001_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris
_TAXONOMY = re.compile(r"^(\d+)_(?:[^_]+_){5,}([^_]+_[^_]+)$")


def place_in_class_folders(files: list[TreeFile], root: str, labels: Mapping[str, str]) -> Iterator[Placed]:
    """Places pictures by their folders.

    Args:
        files: The pictures.
        root: Species of pictures that lie in no folder at all.
        labels: Species of pictures outside of class folders, by the stem of their name.
    """
    if not has_splits(files):
        for file in files:
            yield _placed(file, folders_of(file.path), root, split=None, top="")
        return
    flat = all(file.path.count("/") == 1 for file in files) and not labels
    for file in files:
        top, *folders = folders_of(file.path)
        species = folders or [labels[name] for name in [stem_of(file.path)] if name in labels]
        if species or flat:
            yield _placed(file, species, root, split=SPLIT_OF_FOLDER[top], top=f"{top}/")
        else:
            yield _unlabelled(file, top)


def _placed(file: TreeFile, folders: list[str], root: str, *, split: str | None, top: str) -> Placed:
    species = folders[0] if folders else clean_name(root)
    return Placed(file, top + "/".join((species, *folders[1:], stem_of(file.path))), species, split)


def _unlabelled(file: TreeFile, top: str) -> Placed:
    problem = f"it lies in no class folder and no label names its class; give `--labels FILE`, or leave `{top}` out with `--splits`"
    return Placed(file, f"{top}/{UNLABELLED}/{stem_of(file.path)}", UNLABELLED, SPLIT_OF_FOLDER[top], problem)


def is_taxonomy(files: list[TreeFile]) -> bool:
    """Tells whether all pictures lie in folders named as iNaturalist's: number, six ranks, and the species."""
    folders = {file.path.rpartition("/")[0].rpartition("/")[2] for file in files}
    return bool(folders) and all(_TAXONOMY.match(folder) for folder in folders)


def with_binomials(placed: list[Placed]) -> Iterator[Placed]:
    """Names species by genus and species; those with a namesake in another kingdom keep the whole name of their folder."""
    short = _binomials({entry.species for entry in placed})
    for entry in placed:
        species = short(entry.species)
        yield entry._replace(species=species, key=entry.key.replace(entry.species, species, 1))


def _binomials(folders: set[str]) -> Callable[[str], str]:
    found = {folder: match.group(2) for folder in folders if (match := _TAXONOMY.match(folder))}
    names = list(found.values())
    return lambda folder: found[folder] if folder in found and names.count(found[folder]) == 1 else folder
