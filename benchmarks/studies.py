"""Experiments that benchmarks of the orchestration run."""

from typing import Any

from orchestrator.experiment.loading import check_document
from orchestrator.experiment.spec import Experiment

_MODEL: dict[str, Any] = {
    "generator": {"resolution": 16, "width": 8, "multipliers": [1, 2], "position_channels": 4, "features": 8, "attention": False},
    "renderer": {"layout": "perspective", "decoder_width": 8, "coarse_samples": 6, "fine_samples": 6},
}
_COMMON: dict[str, Any] = {
    "data": {"animals": {"procedural": {"species": [0], "individuals": 8, "held_out": 2, "views": 1, "resolution": 16}}},
    "model": _MODEL,
    "objective": {"clip": {"weight": 0}, "perceptual": {"weight": 0}},
    "evaluation": {"images": 2, "orbit_frames": 2},
}


def overhead_study(root: str, runs: int, seconds: float, algorithm: str) -> Experiment:
    """Returns a sweep over the learning rate; its runs have a step for each millisecond that they sleep."""
    stage = {
        "name": "rates",
        "kind": "sweep",
        "data": "animals",
        "axes": {"training.learning_rate": {"log_uniform": [1e-5, 1e-1]}},
        "search": {"algorithm": algorithm, "trials": runs, "metric": "depth_rmse"},
    }
    training = {"steps": max(1, round(1000 * seconds)), "batch_size": 4}
    return check_document({"name": "overhead", "root": root, **_COMMON, "training": training, "stages": [stage]}, "overhead")


def start_study(root: str, workers: int) -> Experiment:
    """Returns trainings of two steps: five one after the other with one worker, one with several."""
    stage = {
        "name": f"start_{workers}",
        "kind": "train",
        "data": "animals",
        "workers": workers,
        "seeds": [*range(5)] if workers == 1 else [9],
    }
    training = {"steps": 2, "batch_size": 4, "rays_per_image": 16, "log_every": 1}
    name = f"start_{workers}"
    return check_document(
        {"name": name, "root": root, **_COMMON, "training": training, "resources": {"cpus_per_worker": 1}, "stages": [stage]}, name
    )
