"""Measures a generated set against a data set: distances with their floors, species by the nearest real picture, flatness of depth.

Everything is compared at one number of pictures, because distances of distributions shrink as sets grow. The reference is the held-out
split; the floor puts as many training pictures, which are real, in the place of the generated ones.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from g3dr.backbones import load_extractor
from g3dr.diffusion.likeness import SpeciesPictures, accuracy
from g3dr.errors import DataError
from g3dr.metrics import (
    FeatureStatistics,
    frechet_distance,
    inception_score,
    kernel_distance,
    kernel_distance_interval,
    non_flatness_score,
    precision_recall,
)
from orchestrator.computing.evaluation.choosing import Choice
from orchestrator.generating.references import MOST_PICTURES, real_pictures
from orchestrator.shards.selection import Selection
from orchestrator.store import Store

FEWEST = 4
_AT_ONCE = 16


@dataclass(frozen=True)
class GeneratedSet:
    """Pictures that were made, all of one size.

    Attributes:
        pictures: Red, green, blue, 0 to 255.
        species: What each was to show.
        depths: Of those whose depth was estimated; distance along the ray, world units.
    """

    pictures: UInt8[np.ndarray, "image height width 3"]
    species: Sequence[str]
    depths: Sequence[Float32[np.ndarray, "height width"]] = ()


def check_comparable(dataset: Selection, species: Sequence[str], generated: int) -> None:
    """Makes sure, before anything is drawn, that a set can be compared.

    Args:
        dataset: The data set; its species and split are not looked at.
        species: What the pictures are to show.
        generated: How many pictures there will be.

    Raises:
        DataError: The data set lacks a species, or there are fewer than four pictures on a side.
    """
    manifest = dataset.manifest()
    sides = (side.shards_of(manifest) for side in _sides(dataset, species))
    _refuse_few(min(generated, *(sum(shard.rows for shard in shards) for shards in sides)))


def _sides(dataset: Selection, species: Sequence[str]) -> tuple[Selection, Selection]:
    """Returns the held-out and the training pictures of the species."""
    wanted = tuple(dict.fromkeys(species))
    return replace(dataset, split="test", species=wanted), replace(dataset, split="train", species=wanted)


def _refuse_few(count: int) -> None:
    if count < FEWEST:
        raise DataError(f"a generated set is compared at {FEWEST} pictures or more on every side, the smallest has {count}")


def measure_set(made: GeneratedSet, dataset: Selection, root: Store, seed: int = 0, device: str = "cpu") -> dict[str, Any]:
    """Compares a generated set with real pictures of its species.

    Args:
        made: The set.
        dataset: The data set; its species and split are not looked at.
        root: Where results are kept, features of real pictures among them.
        seed: Chooses what is compared where one side has more pictures.
        device: Where it computes.

    Returns:
        The record: `metrics` by name (`nfs` is that of estimated depth maps, `nfs_real` that of the data set's), the data set's version,
        the network that looked, the number of pictures on either side (`images`), how many there were (`counts`), and for each species
        what its pictures, generated and real, look like (`species`).

    Raises:
        DataError: Fewer than four pictures on a side.
    """
    held, train = _sides(dataset, made.species)
    side = made.pictures.shape[1]
    reference, training = (real_pictures(selection, root, side, device) for selection in (held, train))
    generated = _seen(made, device)
    count = min(generated.count, reference.statistics.count, training.statistics.count)
    _refuse_few(count)
    chance = torch.Generator().manual_seed(seed)
    parts = [_part(one, count, chance) for one in (generated, reference.statistics, training.statistics)]
    looks, extractor = _looks(generated, made.species, training, reference), load_extractor("efficientnet_lite0", device)
    flatness, maps = _flatness(made.depths, held, side)
    return {
        "dataset": dataset.dataset,
        "version": held.manifest().version,
        "extractor": {"name": extractor.name, "sha256": extractor.sha256, "resize": extractor.resize},
        "images": count,
        "counts": {
            "generated": generated.count,
            "held_out": reference.statistics.count,
            "training": training.statistics.count,
            "depths": len(made.depths),
            "held_out_depths": maps,
        },
        "metrics": {**_distances(*parts), **looks.metrics(), **flatness},
        "species": looks.record(),
    }


@dataclass(frozen=True)
class Looks:
    """What pictures look like: the species of the training picture that is nearest to each.

    Attributes:
        wanted: What each generated picture was to show.
        found: What it looks like.
        real: Species of each held-out picture.
        real_found: What it looks like.
    """

    wanted: Sequence[str]
    found: Sequence[str]
    real: Sequence[str]
    real_found: Sequence[str]

    def metrics(self) -> dict[str, float]:
        """Returns the shares that look right; none of a set of one species, for there every nearest picture is of that species."""
        species = len(set(self.wanted))
        if species < 2:
            return {}
        return {
            "species_accuracy": accuracy(self.found, self.wanted),
            "real_species_accuracy": accuracy(self.real_found, self.real),
            "chance_species_accuracy": 1 / species,
        }

    def record(self) -> dict[str, Any]:
        """Returns for each species that was asked for how often its pictures, and the real ones, look like which."""
        return {
            name: {"looks_like": _counted(self.wanted, self.found, name), "real_looks_like": _counted(self.real, self.real_found, name)}
            for name in dict.fromkeys(self.wanted)
        }


def _counted(wanted: Sequence[str], found: Sequence[str], name: str) -> dict[str, int]:
    return dict(Counter(look for one, look in zip(wanted, found, strict=True) if one == name).most_common())


def _seen(made: GeneratedSet, device: str) -> FeatureStatistics:
    extractor, found = load_extractor("efficientnet_lite0", device), FeatureStatistics.empty()
    for first in range(0, len(made.pictures), _AT_ONCE):
        images = torch.from_numpy(made.pictures[first : first + _AT_ONCE]).permute(0, 3, 1, 2).float().to(device) / 127.5 - 1
        found = found.update(extractor.extract(images), [f"generated/{first + row}" for row in range(len(images))])
    return found


def _part(statistics: FeatureStatistics, count: int, chance: torch.Generator) -> FeatureStatistics:
    return statistics.select(torch.randperm(statistics.count, generator=chance)[:count].sort().values)


def _distances(made: FeatureStatistics, reference: FeatureStatistics, real: FeatureStatistics) -> dict[str, float]:
    interval, judged, floor = (
        kernel_distance_interval(reference, made),
        precision_recall(reference, made),
        precision_recall(reference, real),
    )
    return {
        "fd": frechet_distance(reference, made),
        "fd_floor": frechet_distance(reference, real),
        "kid": interval.estimate,
        "kid_low": interval.low,
        "kid_high": interval.high,
        "kid_floor": kernel_distance(reference, real),
        "inception_score": inception_score(made.probabilities),
        "inception_score_real": inception_score(real.probabilities),
        "precision": judged.precision,
        "recall": judged.recall,
        "precision_floor": floor.precision,
        "recall_floor": floor.recall,
    }


def _looks(made: FeatureStatistics, wanted: Sequence[str], training: SpeciesPictures, reference: SpeciesPictures) -> Looks:
    return Looks(wanted, training.nearest(made.features), reference.species, training.nearest(reference.statistics.features))


def _flatness(depths: Sequence[Float32[np.ndarray, "height width"]], held: Selection, side: int) -> tuple[Mapping[str, float], int]:
    """Returns non-flatness scores, and of how many held-out maps; nothing without depths."""
    if not depths:
        return {}, 0
    real = Choice(held, MOST_PICTURES).load(side, views=False).depths
    scores = {"nfs": non_flatness_score(torch.from_numpy(np.stack(depths))[:, None]), "nfs_real": non_flatness_score(real)}
    return scores, len(real)
