"""Profiles a stage of an experiment file and prints what was found."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from g3dr.errors import WeightsMissingError
from g3dr.profiling.advice import advice
from g3dr.profiling.memory import current_bytes
from g3dr.profiling.steps import TrainingProfile, Workload, profile_training
from g3dr.profiling.untrained import untrained_names
from orchestrator.cli.consoles import console
from orchestrator.cli.devices import device_named
from orchestrator.cli.profile_tables import Setting, print_profile, profile_to_json
from orchestrator.cli.progress import shown_on
from orchestrator.experiment.loading import load_experiment
from orchestrator.experiment.spec import Experiment
from orchestrator.profiling import request_of, workload
from orchestrator.runs import RunRequest


@dataclass(frozen=True)
class Measurement:
    """What the command line asks for; see `g3dr profile --help`."""

    stage: str | None
    changes: Sequence[str]
    steps: int | None
    device: str
    random_weights: bool
    as_json: bool


def profile_stage(file: Path, asked: Measurement) -> None:
    """Measures and prints.

    Raises:
        G3drError: The file, the stage or the device cannot be used, or weights are missing.
    """
    experiment = load_experiment(file, asked.changes)
    request, device, out = request_of(experiment, asked.stage), device_named(asked.device), console()
    torch.set_num_threads(max(1, int(request.cpus_per_worker)))
    before = current_bytes(device)
    work = _workload(request, experiment, device, random_weights=asked.random_weights)
    with _progress(out, quiet=asked.as_json) as progress:
        found = profile_training(work, steps=asked.steps, before=before, progress=progress)
    _print(found, work, request, out if not asked.as_json else None)
    if not asked.as_json:
        command = f"g3dr profile {file} --stage {request.stage}"
        out.print(f"next: {command} --set SECTION.KEY=VALUE shows what a change brings", markup=False, soft_wrap=True)


def _print(found: TrainingProfile, work: Workload, request: RunRequest, out: Console | None) -> None:
    setting = Setting(request, str(work.device), torch.get_num_threads(), tuple(untrained_names(work.backbones)))
    words = advice(found, request.spec.model, work.config, str(work.device))
    if out is None:
        print(json.dumps(profile_to_json(found, setting, words), indent=1))
    else:
        print_profile(found, setting, words, out)


def _workload(request: RunRequest, experiment: Experiment, device: torch.device, *, random_weights: bool) -> Workload:
    try:
        return workload(request, experiment, device, random_weights=random_weights)
    except WeightsMissingError as error:
        if random_weights:
            raise
        raise WeightsMissingError(f"{error} Or measure with --random-weights: they take the same time.") from None


@contextmanager
def _progress(out: Console, *, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Shows how far each kind of step is; nothing at all where only JSON is wanted."""
    if quiet:
        yield lambda *_: None
        return
    with shown_on(out) as shown:
        yield lambda title, done, total: shown.move(f"measuring a step that renders {title}", done, total, "rounds")
