"""Finds and deletes what nobody needs any more, for `g3dr prune` and for the budget of a running experiment.

While something of a run is deleted its lease is held, so that nothing is taken away from whoever computes it.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from time import time

from g3dr.errors import CheckpointError, ConfigError, did_you_mean
from orchestrator.keeping.inventory import RunFiles, files_of_runs
from orchestrator.keeping.needs import ExperimentRecords, held_runs, needs_of, read_experiments, waiting_checkpoints
from orchestrator.keeping.retention import Deletion, Needs, RetentionPlan, retention_plan
from orchestrator.ledger import Leases, Ledger
from orchestrator.ledger import checkpoints as checkpoint_files
from orchestrator.ledger.reading import read_all
from orchestrator.store import Store

logger = logging.getLogger(__name__)
_QUIET_SECONDS = 3600.0


@dataclass(frozen=True)
class PrunePlan:
    """What can be deleted.

    Attributes:
        ledger: Of which.
        entries: What goes, with its size and the reason.
        kept_because: Why something stays that would otherwise go, by path.
        complaints: One sentence for each budget that cannot be met.
    """

    ledger: Ledger
    entries: tuple[Deletion, ...]
    kept_because: Mapping[str, str] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """What deleting it frees."""
        return sum(entry.bytes for entry in self.entries)

    def apply(self) -> int:
        """Deletes it; returns the bytes that were freed. A run that somebody has begun to compute meanwhile is left alone."""
        freed = 0
        for run, group in groupby(sorted(self.entries, key=lambda entry: entry.run), key=lambda entry: entry.run):
            entries = list(group)
            freed += _delete_of_run(self.ledger.store, run, entries) if run else _delete_all(self.ledger.store, entries)
        return freed


def prune_plan(ledger: Ledger, names: Collection[str] | None = None, *, orphans: bool = False) -> PrunePlan:
    """Returns what nobody needs.

    Of experiments: checkpoints beyond what their `retention` keeps, half-written ones that were overtaken, and optimizer states and
    leases of finished runs. Without `names` also what ended processes left in `scratch/`.

    Args:
        ledger: Where to look.
        names: Experiments; None for all.
        orphans: Also whole runs that no stage of any experiment consists of. Nothing tells which those are while an experiment has
            stages that were not done yet, so none goes then.

    Raises:
        ConfigError: There is no such experiment.
    """
    files, experiments = files_of_runs(ledger.store), read_experiments(ledger.store)
    needs = needs_of(ledger.store, experiments.values(), held_runs(ledger.store, files))
    needs = replace(needs, paths={**needs.paths, **waiting_checkpoints(ledger, files)})
    plans = [_retention(ledger, files, needs, experiments[name]) for name in _checked(names, experiments)]
    entries = {deletion.path: deletion for plan in plans for deletion in plan.deletions}
    kept = {path: reason for plan in plans for path, reason in plan.kept_because.items()}
    known = {run for name in _checked(names, experiments) for run in experiments[name].runs}
    found = [*entries.values(), *_old_leases(ledger, [files[run] for run in known if run in files], needs)]
    if names is None:
        found += _scratch(ledger.store, needs)
    if orphans:
        lost, more_kept = _orphans(ledger, files, needs, list(experiments.values()))
        gone = {deletion.run for deletion in lost}
        found, kept = [*(entry for entry in found if entry.run not in gone), *lost], {**kept, **more_kept}
    complaints = tuple(f"{name}: {plan.complaint}" for name, plan in zip(_checked(names, experiments), plans, strict=True) if plan.exceeded)
    return PrunePlan(ledger, tuple(found), kept, complaints)


def apply_retention(
    ledger: Ledger, name: str, *, keep: int, budget: int | None, runs: Collection[str] = (), computed: Collection[str] = ()
) -> RetentionPlan:
    """Deletes what the retention of a running experiment says; one listing, and small files only of runs of which something may go.

    Args:
        ledger: Where its runs are.
        name: The experiment.
        keep: Newest checkpoints of each run.
        budget: Bytes for all checkpoints; None for no limit.
        runs: Runs that its stages' records do not name yet.
        computed: Runs that this process computes at the moment; they are left alone, like those of other processes.

    Returns:
        What was deleted, and whether the budget is met now.
    """
    files, experiments = files_of_runs(ledger.store), read_experiments(ledger.store)
    own = set(runs) | set(experiments[name].runs if name in experiments else ())
    mine = {run: found for run, found in files.items() if run in own}
    is_over = budget is not None and sum(found.checkpoint_bytes for found in mine.values()) > budget
    asked = [run for run, found in mine.items() if is_over and found.optimizers]
    states = {run: status.state for run, status in ledger.statuses(asked).items()}
    needs = needs_of(ledger.store, experiments.values(), dict.fromkeys(computed, "this process computes it"))
    needs = replace(needs, paths={**needs.paths, **waiting_checkpoints(ledger, mine)})
    plan = _unheld(ledger.store, mine, needs, lambda needs: retention_plan(mine, states, needs, keep=keep, budget=budget))
    PrunePlan(ledger, plan.deletions).apply()
    return plan


def _unheld(store: Store, files: Mapping[str, RunFiles], needs: Needs, plan: Callable[[Needs], RetentionPlan]) -> RetentionPlan:
    """Returns the plan that touches no run that is held, without asking for the leases of those that it does not touch anyway."""
    asked = set(needs.held)
    while True:
        found = plan(needs)
        touched = {deletion.run for deletion in found.deletions} - asked
        if not touched:
            return found
        asked |= touched
        needs = replace(needs, held={**needs.held, **held_runs(store, {run: files[run] for run in touched})})


def _checked(names: Collection[str] | None, experiments: Mapping[str, ExperimentRecords]) -> list[str]:
    for name in names or ():
        if name not in experiments:
            allowed = f"one of {', '.join(experiments)}" if experiments else "nothing: the ledger has no experiments"
            raise ConfigError("experiment", name, allowed, did_you_mean(name, experiments))
    return list(dict.fromkeys(names)) if names is not None else list(experiments)


def _retention(ledger: Ledger, files: Mapping[str, RunFiles], needs: Needs, experiment: ExperimentRecords) -> RetentionPlan:
    mine = {run: files[run] for run in experiment.runs if run in files}
    states = {run: status.state for run, status in ledger.statuses([run for run, found in mine.items() if found.optimizers]).items()}
    return retention_plan(mine, states, needs, keep=experiment.keep, budget=experiment.budget, optimizers=True)


def _old_leases(ledger: Ledger, runs: Iterable[RunFiles], needs: Needs) -> list[Deletion]:
    leased = [run for run in runs if run.leases and run.run not in needs.held]
    over = {run for run, status in ledger.statuses([run.run for run in leased]).items() if status.state != "running"}
    reason = "leases of a run that is over"
    folders = [(run, run.leases[0].path.rpartition("/")[0]) for run in leased if run.run in over]
    return [Deletion(path, sum(entry.size for entry in run.leases), reason, "lease", run.run) for run, path in folders]


def _scratch(store: Store, needs: Needs) -> list[Deletion]:
    """What Tune and Train keep for themselves; it is in use while anything is computed, and may be for a while after."""
    if needs.held:
        return []
    sizes: dict[str, int] = {}
    changed: dict[str, float] = {}
    for entry in store.entries("scratch"):
        folder = "/".join(entry.path.split("/")[:2])
        sizes[folder] = sizes.get(folder, 0) + entry.size
        changed[folder] = max(changed.get(folder, 0.0), entry.changed / 1e9)
    quiet = [folder for folder in sorted(sizes) if changed[folder] < time() - _QUIET_SECONDS]
    return [Deletion(folder, sizes[folder], "left by a process that ended, which nobody reads", "scratch") for folder in quiet]


def _orphans(
    ledger: Ledger, files: Mapping[str, RunFiles], needs: Needs, experiments: list[ExperimentRecords]
) -> tuple[list[Deletion], dict[str, str]]:
    """Runs of no experiment, and why some of them stay."""
    unfinished = [f"{experiment.name}/{stage}" for experiment in experiments for stage in experiment.missing_stages]
    if unfinished:
        return [], {"runs": f"{', '.join(unfinished)} was not done yet: its runs cannot be told from those of no experiment"}
    known = {run for experiment in experiments for run in experiment.runs}
    kept = {path.split("/")[1]: reason for path, reason in needs.paths.items() if path.startswith("runs/")} | dict(needs.held)
    specs = read_all(ledger.store, [run for run in files if run in known], ledger.spec)
    for name, reason in (("initial", "starts from it"), ("autoencoder", "works in its latent space")):
        kept |= {str(spec[name]): f"run {run} {reason}" for run, spec in specs.items() if spec and spec.get(name)}
    lost = [run for run in files.values() if run.run not in known]
    gone = [
        Deletion(f"runs/{run.run}", sum(entry.size for entry in run.entries), "run of no experiment", "run", run.run)
        for run in lost
        if run.run not in kept
    ]
    return gone, {f"runs/{run.run}": kept[run.run] for run in lost if run.run in kept}


def _delete_of_run(store: Store, run: str, entries: Sequence[Deletion]) -> int:
    lease = Leases(store).acquire(run)
    if lease is None:
        return 0
    leases = [entry for entry in entries if entry.kind == "lease"]  # they go with ours, which superseded them
    try:
        return _delete_all(store, [entry for entry in entries if entry.kind != "lease"]) + sum(entry.bytes for entry in leases)
    finally:
        if leases or any(entry.kind == "run" for entry in entries):
            lease.forget()
        else:
            lease.release()


def _delete_all(store: Store, entries: Iterable[Deletion]) -> int:
    freed = 0
    for entry in entries:
        try:
            _delete(store, entry)
        except (CheckpointError, FileNotFoundError) as error:
            logger.warning("%s stays: %s", entry.path, error)
            continue
        freed += entry.bytes
    return freed


def _delete(store: Store, entry: Deletion) -> None:
    if entry.kind == "optimizer":
        checkpoint_files.delete_optimizer(store, entry.path.rpartition("/")[0])
    elif entry.kind == "checkpoint":
        checkpoint_files.delete(store, entry.path)
    else:
        store.delete(entry.path)
