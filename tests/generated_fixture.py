"""Generated sets as `g3dr generate` leaves them, without a model: folders of pictures, some with objects, and a record."""

from dataclasses import dataclass

import numpy as np
import trimesh
from ledger_fixture import ball

from g3dr.export.mesh import Mesh
from g3dr.export.mesh_files import glb
from g3dr.export.surface import Surface
from g3dr.export.video import animation
from g3dr.pictures import encode_depth
from orchestrator.generating.drawing import Drawn
from orchestrator.generating.objects import Written, write_objects
from orchestrator.generating.records import Asked, SetRecord

SPECIES = ("bird_03", "fish_01")
SIDE = 32
ABOUT = {
    "model": {"name": "latent diffusion", "denoiser": "de40" * 16, "autoencoder": "c0de" * 16},
    "negative": "",
    "settings": {"steps": 30, "guidance": 3.0, "sampler": "dpm", "at_once": 8},
}
METRICS = {
    "fd": 90.0, "fd_floor": 60.0, "kid": 0.4, "kid_low": 0.3, "kid_high": 0.5, "kid_floor": 0.01, "inception_score": 2.1,
    "inception_score_real": 3.2, "precision": 0.7, "precision_floor": 0.9, "recall": 0.3, "recall_floor": 0.8,
    "species_accuracy": 0.75, "real_species_accuracy": 0.95, "chance_species_accuracy": 0.5, "nfs": 11.0, "nfs_real": 14.5,
}  # fmt: skip
EVALUATION = {
    "dataset": "/data/datasets/species2-1234abcd",
    "version": "d41d8cd98f00b204",
    "extractor": {"name": "efficientnet-lite0", "sha256": "5a1c" * 16},
    "images": 40,
    "counts": {"generated": 40, "held_out": 40, "training": 400, "depths": 4, "held_out_depths": 40},
    "metrics": METRICS,
    "species": {
        "bird_03": {"looks_like": {"bird_03": 18, "fish_01": 2}, "real_looks_like": {"bird_03": 20}},
        "fish_01": {"looks_like": {"fish_01": 12, "bird_03": 8}, "real_looks_like": {"fish_01": 18, "bird_03": 2}},
    },
}


class Clay:
    """Stands in for `Studio`: every picture becomes the same ball."""

    def about(self):
        return {
            "depth": {"estimator": {"name": "network", "weights": "9c798233b17a06c5", "side": 128}},
            "checkpoint": "quickstart/pretrain",
        }

    def files(self, name, picture):
        shape = trimesh.creation.icosphere(subdivisions=1)
        surface = Surface(shape.vertices.astype(np.float32), shape.faces.astype(np.int32))
        frames = np.stack([ball(np.array([0.2, 0.6, 0.5]), turn, SIDE)[0] for turn in np.linspace(0, 1, 8)])
        return {
            f"{name}_depth.png": encode_depth(ball(np.array([0.5, 0.5, 0.5]), side=SIDE)[1]),
            f"{name}.glb": glb(Mesh(surface, np.full(shape.vertices.shape, 180, np.uint8))),
            f"{name}.webp": animation(frames, 12.0, lossless=True),
        }


@dataclass(frozen=True)
class Wanted:
    """What kind of set."""

    count: int = 2
    candidates: int = 1
    objects: bool = False
    evaluation: dict | None = None
    species: tuple[str, ...] = SPECIES


def drawn(wanted):
    """Draws striped balls."""
    found = []
    for number, name in enumerate(wanted.species):
        for index in range(wanted.count):
            picture, _ = ball(np.array([0.9, 0.3 * number, 0.1 * (index % 8)]), index, SIDE)
            judge = "efficientnet-lite0 likeness" if wanted.candidates > 1 else None
            found.append(Drawn(name, index * wanted.candidates, picture, [{"seed": index, "score": None}], judge))
    return found


def write_set(out, wanted):
    """Writes the files of a set to a store; returns its record."""
    pictures = drawn(wanted)
    written = write_objects(pictures, Clay() if wanted.objects else None, out, ABOUT)
    assert isinstance(written, Written)
    return SetRecord(Asked(wanted.species, False, "", wanted.count, wanted.candidates, 0), pictures, written, wanted.evaluation)
