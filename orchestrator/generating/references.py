"""Real pictures of species, as EfficientNet-Lite0 sees them: what candidates and generated sets are compared with."""

import torch

from g3dr.backbones import load_extractor
from g3dr.diffusion.likeness import SpeciesPictures
from orchestrator.computing.evaluation.choosing import Choice
from orchestrator.computing.evaluation.features import real_features
from orchestrator.shards.manifest import MANIFEST, read_manifest
from orchestrator.shards.selection import Selection
from orchestrator.store import Store

MOST_PICTURES = 1000

_FOLDER = "datasets"


def real_pictures(selection: Selection, root: Store, resolution: int, device: str = "cpu") -> SpeciesPictures:
    """Returns up to a thousand pictures of a packed data set, species taking turns; what was looked at once is kept below the root.

    Args:
        selection: Which pictures.
        root: Where results are kept.
        resolution: Side at which they are looked at, pixels: that of the pictures they are compared with.
        device: Where it computes.

    Raises:
        DataError: The data set is missing or damaged.
    """
    choice, extractor = Choice(selection, MOST_PICTURES), load_extractor("efficientnet_lite0", device)
    return SpeciesPictures(real_features(choice, extractor, resolution, torch.device(device), root), choice.species)


def training_pictures(version: str, root: Store) -> Selection | None:
    """Returns the training pictures of the data set of a version, if it lies below the root."""
    names = {path.split("/")[1] for path in root.list(_FOLDER) if path.count("/") == 2 and path.endswith(f"/{MANIFEST}")}
    for name in sorted(names) if version else ():
        store = root.child(f"{_FOLDER}/{name}")
        manifest = read_manifest(store)
        if manifest is not None and manifest.version == version:
            return Selection(store.uri, version, "train")
    return None
