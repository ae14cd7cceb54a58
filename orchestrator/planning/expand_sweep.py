"""Expands a sweep: what its trials start from, and one request per trial and seed."""

import json
from dataclasses import replace
from functools import lru_cache

from g3dr.errors import ConfigError, did_you_mean
from orchestrator.experiment.axes import axis_to_json, parse_axis
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Settings, assigned, overlaid
from orchestrator.experiment.spec import Experiment, SweepStage
from orchestrator.planning.expand import Start, dataset_of, each_once, request_of, settings_of, start_of
from orchestrator.planning.knowledge import Deferred, Expansion, Knowledge
from orchestrator.runs import RunRequest
from orchestrator.search import Proposal, SweepProposals, label_of, number_of_trials
from orchestrator.search.samplers import Sampler, make_sampler

_WAITS = {
    "optuna": "Optuna proposes the next {wave} when those before are over",
    "nsga2": "NSGA-II proposes the next {wave} when those before are over",
    "population": "a generation of {wave} begins when the one before is over",
}


def sweep_proposals(experiment: Experiment, stage: SweepStage, knowledge: Knowledge) -> SweepProposals:
    """Returns the runs of a sweep in the order in which they are started.

    Raises:
        ExperimentError: What the sweep starts from has no usable run, or the data set lacks a species of an axis.
        WaitError: The data set is not packed yet, or what the sweep starts from is not known yet.
    """
    base = _Base(experiment, stage, knowledge)
    sampler = shared_sampler(json.dumps([base.identity, {path: axis_to_json(axis) for path, axis in stage.axes.items()}]), stage.search)
    return SweepProposals(stage.search, sampler, number_of_trials(stage.axes, stage.search), base.request, stage.seeds or (None,))


@lru_cache(maxsize=32)
def shared_sampler(text: str, search: SearchSpec) -> Sampler:
    """One sampler per sweep and process, as a plan and a run ask for the same trials again and again; `text` names sweep and axes."""
    return make_sampler({path: parse_axis(axis) for path, axis in json.loads(text)[1].items()}, search)


def expand_sweep(experiment: Experiment, stage: SweepStage, knowledge: Knowledge) -> Expansion:
    """Returns the runs of a sweep, each once, as far as they can be named."""
    proposals = sweep_proposals(experiment, stage, knowledge)
    requests: list[RunRequest] = []
    for index in range(proposals.total):
        request = proposals.request(index, knowledge.outcome)
        if request is None:
            reason = _WAITS[stage.search.algorithm].format(wave=stage.search.wave)
            return Deferred(proposals.total - index, reason, tuple(each_once(requests)))
        requests.append(request)
    return each_once(requests)


class _Base:
    """What all trials of a sweep share; seeds may start from different runs."""

    def __init__(self, experiment: Experiment, stage: SweepStage, knowledge: Knowledge) -> None:
        self._experiment, self._stage, self._knowledge = experiment, stage, knowledge
        self._dataset = dataset_of(stage, knowledge)
        self._starts = {seed: self._start(seed) for seed in stage.seeds or (None,)}
        self._check_species()

    @property
    def identity(self) -> list[str | None]:
        """Tells this sweep apart from others with the same axes."""
        starts = [start.identity for start, _ in self._starts.values()]
        return [self._experiment.name, self._stage.name, self._dataset.version, *starts]

    def _start(self, seed: int | None) -> tuple[Start, Settings]:
        own = self._experiment.seed if seed is None else seed
        start = start_of(self._experiment, self._stage.source, self._knowledge, own)
        settings = settings_of(self._experiment, self._stage, start, self._knowledge)
        return start, settings if seed is None else replace(settings, seed=seed)

    def _check_species(self) -> None:
        """An axis over species takes those of the data set."""
        known, axis = self._dataset.species, self._stage.axes.get("species")
        names = [name for value in (axis.probes if axis else ()) for name in _species(value) or ()]
        problems = [
            ConfigError(f"stages.{self._stage.name}.axes.species", name, f"one of {', '.join(known)}", did_you_mean(str(name), known))
            for name in names
            if name not in known
        ]
        if problems:
            raise ExperimentError(self._stage.data, problems)

    def request(self, trial: int, proposal: Proposal, seed: int | None, parent: RunRequest | None) -> RunRequest:
        """Returns the request of one run of a trial."""
        start, base = self._starts[seed]
        if parent is not None:
            start = Start(parent.spec.id, parent.final_checkpoint, parent)
        values = {path: value for path, value in proposal.assignment.items() if path != "species"}
        settings = overlaid(base, assigned(values), f"stages.{self._stage.name}.axes")
        settings = replace(settings, seed=settings.seed + proposal.seed_offset)
        request = request_of(
            self._experiment,
            self._stage,
            settings,
            start,
            self._dataset,
            label=self._label(proposal, seed),
            knowledge=self._knowledge,
            species=_species(proposal.assignment.get("species")),
        )
        stopping = self._stage.search.stopping
        rungs = stopping.rungs(settings.training.steps) if stopping else ()
        return replace(request, assignment=dict(proposal.assignment), index=trial, rungs=rungs)

    def _label(self, proposal: Proposal, seed: int | None) -> str:
        of_seed = f"seed {seed}" if len(self._starts) > 1 else ""
        return ", ".join(part for part in (label_of(proposal.assignment), of_seed, proposal.note) if part)


def _species(value: object) -> tuple[str, ...] | None:
    """What a value of the axis `species` means: `all`, one name, or several."""
    if value is None or value == "all":
        return None
    return tuple(value) if isinstance(value, tuple) else (str(value),)
