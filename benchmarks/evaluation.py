"""What an evaluation spends its time on, and what measuring along a training costs the training.

python -m benchmarks.evaluation                    400 images x 8 views at 128 px: rendering against everything else
python -m benchmarks.evaluation --resolution 64    the same at 64 px: the networks that look at pictures see 224 in either case
python -m benchmarks.evaluation --only along       64 px: steps a second with and without measurements every 100 steps, in turns
python -m benchmarks.evaluation --quick            tiny sizes: only shows that everything runs
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from g3dr.model import G3DR
from g3dr.procedural import ProceduralConfig
from orchestrator.computing.evaluate import evaluator_for
from orchestrator.computing.evaluation import evaluated
from orchestrator.computing.evaluation.record import scope_of
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.experiment.loading import check_document
from orchestrator.experiment.spec import Experiment
from orchestrator.ledger import Ledger
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.runs import RunRequest
from orchestrator.shards import ProceduralSource, pack
from orchestrator.store import open_store

EXAMPLE = "example: python -m benchmarks.evaluation --only along"
ROUNDS = 3
EVERY = 100

_MODEL: dict[str, Any] = {  # experiments/procedural.yaml
    "generator": {"width": 16, "multipliers": [1, 2, 4, 8], "position_channels": 16, "features": 16, "attention": False},
    "renderer": {"layout": "perspective", "decoder_width": 32, "coarse_samples": 20, "fine_samples": 20},
}
_TINY: dict[str, Any] = {
    "generator": {"resolution": 16, "width": 8, "multipliers": [1, 2], "position_channels": 4, "features": 8, "attention": False},
    "renderer": {"layout": "perspective", "decoder_width": 8, "coarse_samples": 6, "fine_samples": 6},
}


def study(root: str, *, quick: bool, resolution: int = 64) -> tuple[Experiment, RunRequest]:
    """Packs animals and returns an experiment with one training that is measured, and its request."""
    model = _TINY if quick else {**_MODEL, "generator": {**_MODEL["generator"], "resolution": resolution}}
    config = (
        ProceduralConfig((0, 1), individuals=16, held_out=8, views=2, resolution=16)
        if quick
        else ProceduralConfig(individuals=134, held_out=67, views=8, resolution=resolution, supersampling=1, shadows=False)
    )
    manifest = pack(ProceduralSource(config), open_store(root).child("animals"), strict=True)
    document = {
        "name": "evaluation",
        "root": root,
        "data": {"animals": {"dataset": f"{root}/animals"}},
        "model": model,
        "objective": {"clip": {"weight": 0}, "perceptual": {"weight": 0}},
        "training": {
            "steps": 8 if quick else 400,
            "batch_size": 4,
            "rays_per_image": 16 if quick else 384,
            "log_every": 2 if quick else 20,
        },
        "evaluation": {"images": 16 if quick else 400, "every": 4 if quick else EVERY, "orbit_frames": 2 if quick else 24},
        "stages": [{"name": "train", "kind": "train", "data": "animals"}],
    }
    experiment = check_document(document, "evaluation")
    dataset = DatasetInfo(f"{root}/animals", manifest.version, manifest.species(), {})
    requests = expand_stage(experiment, experiment.stages[0], Knowledge({"animals": dataset}))
    return experiment, next(iter(requests))  # type: ignore[arg-type]  # nothing is deferred here


def shares(*, quick: bool, resolution: int = 64) -> Iterator[tuple[str, float]]:
    """Measures an untrained model twice: with features of real pictures computed, and with those that the first time has kept."""
    with tempfile.TemporaryDirectory() as root:
        _, request = study(root, quick=quick, resolution=resolution)
        ledger, model = Ledger(open_store(root)), G3DR(request.spec.model).eval()
        for time_of_it in ("first", "again"):
            for name, value in _timed(request, model, ledger).items():
                yield f"{time_of_it}_{name}", value


def _timed(request: RunRequest, model: G3DR, ledger: Ledger) -> dict[str, float]:
    """Returns the seconds of a whole evaluation, from the data set to the record, and which share of the cores' time was not rendering."""
    started, threads = time.perf_counter(), torch.get_num_threads()
    evaluator = evaluator_for(request, ledger, torch.device("cpu"))
    part = evaluator.measure(model, scope=scope_of(evaluator.spec))
    evaluated(request.spec.id, evaluator, part).write(ledger)
    wall = time.perf_counter() - started
    return {
        "wall_s": wall,
        "rendering_core_s": part.rendering_seconds,
        "measuring_core_s": part.seconds,
        "elsewhere_percent": 100 * (1 - part.rendering_seconds / (wall * threads)),
    }


def along(*, quick: bool, resolution: int = 64) -> Iterator[tuple[str, float]]:
    """Trains in turns with measurements along the way and without; steps a second of the training alone, medians."""
    rates: dict[str, list[float]] = {"with": [], "without": []}
    measured = []
    with tempfile.TemporaryDirectory() as root:
        _, request = study(root, quick=quick, resolution=resolution)
        some = replace(request, evaluation=replace(request.evaluation, images=16 if quick else 48, views=None))  # type: ignore[type-var]
        for number in range(1 if quick else ROUNDS):
            for name, every in (("without", None), ("with", some.evaluate_every)):
                folder = str(Path(root) / f"{name}-{number}")
                ledger, run = Ledger(open_store(folder)), replace(some, evaluate_every=every)
                rates[name].append(_steps_a_second(run, ledger))
                if every:
                    measured.append(len(ledger.store.list(f"runs/{run.spec.id}/evaluations/{run.measurement}/steps")))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    yield "steps_per_second_without", medians["without"]
    yield "steps_per_second_with", medians["with"]
    yield "slower_percent", 100 * (1 - medians["with"] / medians["without"])
    yield "measured_beside_the_training", statistics.median(measured)


def _steps_a_second(request: RunRequest, ledger: Ledger) -> float:
    """Trains to the end and leaves the run there, before its evaluation."""
    working = compute_run(request, ledger.store.uri, Placement(cpus=torch.get_num_threads()))
    for progress in working:
        if progress.step >= request.spec.training.steps:
            break
    working.close()  # type: ignore[attr-defined]
    status = ledger.status(request.spec.id)
    return 0.0 if status is None or not status.seconds else status.step / status.seconds


MEASUREMENTS: Mapping[str, Callable[..., Iterator[tuple[str, float]]]] = {"shares": shares, "along": along}


def main() -> int:
    """Measures what was asked for and prints it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=__doc__.splitlines()[0], epilog=EXAMPLE)
    parser.add_argument("--only", choices=list(MEASUREMENTS), default="shares", help="this measurement (default: shares)")
    parser.add_argument("--resolution", type=int, choices=(64, 128), help="side of the pictures (default: 128, along 64)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only shows that everything runs")
    options = parser.parse_args()
    resolution = options.resolution or {"shares": 128, "along": 64}[options.only]
    console = Console(soft_wrap=True, highlight=False)
    for what, value in MEASUREMENTS[options.only](quick=options.quick, resolution=resolution):
        console.print(f"{options.only}, {what}: {value:.4g}")
    console.print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
