"""A tiny trained run with its data, for the tests of evaluation."""

from dataclasses import replace
from pathlib import Path

import torch
from early_stopping import SWEEP
from safetensors.torch import load

from orchestrator.datasets import prepare_datasets
from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import Knowledge
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest
from orchestrator.store import open_store

SETTINGS = (
    "stages=[{name: one, kind: train, data: animals}]",
    "data.animals.procedural={species: [0, 1], individuals: 18, held_out: 9, views: 3, resolution: 16}",
    "training={steps: 12, batch_size: 4, rays_per_image: 16, learning_rate: 1e-3, log_every: 2, checkpoint_every: 12}",
    "evaluation={images: 18, orbit_frames: 0, every: 4}",
)


def packed_request(folder: Path, *settings: str) -> RunRequest:
    """Packs the animals and returns the request of the only run, which is measured every four steps."""
    experiment = check_document(apply_settings(SWEEP, (*SETTINGS, *settings)), "evaluation.yaml")
    knowledge = Knowledge(prepare_datasets(open_store(str(folder)), experiment, Watch()))
    return expand_stage(experiment, experiment.stages[0], knowledge)[0]


def only_at_the_end(request: RunRequest) -> RunRequest:
    """Returns the same run without measurements along the way."""
    return replace(request, evaluate_every=None)


def same_pictures(one: bytes, other: bytes) -> bool:
    """Compares two files of pictures; the order of labels in their headers is chance."""
    ours, theirs = load(one), load(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)
