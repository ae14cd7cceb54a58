"""A sweep whose rule ends what is behind, for the tests that run it inline and with several workers."""

from typing import Any

from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import Deferred
from orchestrator.running.execution import Execution
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest

METRIC = "novel_depth_rmse"
GOOD, HOPELESS = (1e-3, 2e-3), (1e-9, 2e-9, 3e-9, 4e-9)
RUNGS = (6, 18)
SWEEP: dict[str, Any] = {
    "name": "stopping",
    "data": {"animals": {"procedural": {"species": [0, 1], "individuals": 12, "held_out": 4, "views": 1, "resolution": 16}}},
    "model": {
        "generator": {"resolution": 16, "width": 8, "multipliers": [1, 2], "position_channels": 4, "features": 8, "attention": False},
        "renderer": {"layout": "perspective", "decoder_width": 8, "coarse_samples": 6, "fine_samples": 6},
    },
    "objective": {"clip": {"weight": 0}, "perceptual": {"weight": 0}, "pooled_rgb": {"form": "l1", "weight": 1.0}, "opacity": 0.1},
    "training": {
        "steps": 24,
        "batch_size": 4,
        "rays_per_image": 64,
        "novel_probability": 0.2,
        "depth_importance": 0.0,
        "depth_regularization": False,
        "log_every": 4,
        "checkpoint_every": 12,
    },
    "evaluation": {"images": 8, "orbit_frames": 2},
    "stages": [
        {
            "name": "rates",
            "kind": "sweep",
            "data": "animals",
            "axes": {"training.learning_rate": [GOOD[0], *HOPELESS, GOOD[1]]},
            "search": {"metric": METRIC, "asha": {"grace_steps": RUNGS[0], "reduction_factor": 3}},
        }
    ],
}


class Counting(Watch):
    """Remembers how the runs ended that were computed."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        assert error is None
        self.ended[label] = state


def requests_of(execution: Execution) -> list[RunRequest]:
    found = expand_stage(execution.experiment, execution.experiment.stages[0], execution.knowledge())
    return list(found.requests) if isinstance(found, Deferred) else found
