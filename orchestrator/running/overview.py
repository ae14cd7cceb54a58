"""How an experiment stands, read from the store alone: for `g3dr status` in any terminal on any machine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.finding import check_experiment, experiments
from orchestrator.ledger import Holder, Leases, Ledger, RunStatus
from orchestrator.ledger.records import read_json
from orchestrator.running.control import Control
from orchestrator.running.live import Live, read_live
from orchestrator.store import Store

STATES = ("finished", "stopped", "failed", "cancelled", "running", "interrupted", "missing")


@dataclass(frozen=True)
class RunOverview:
    """A run as a stage knows it.

    Attributes:
        run: Its id.
        stage: The stage.
        label: Its name there.
        state: One of `STATES`; `interrupted` is a run that was begun and that nobody computes.
        step: Steps that its newest checkpoint holds.
        error: One sentence, if it failed.
        holder: Who computes it.
    """

    run: str
    stage: str
    label: str
    state: str
    step: int = 0
    error: str | None = None
    holder: Holder | None = None


@dataclass(frozen=True)
class StageOverview:
    """A stage.

    Attributes:
        name: Its name.
        kind: Its kind.
        runs: Its known runs by state; empty before it began.
        best: Label of its best run; empty for none.
        metric: What that is the best by.
        value: Its number.
        seconds: Time spent on it so far.
    """

    name: str
    kind: str
    runs: Mapping[str, int] = field(default_factory=dict)
    best: str = ""
    metric: str = ""
    value: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Overview:
    """An experiment.

    Attributes:
        experiment: Its name.
        description: Its sentence.
        root: Where it is kept.
        stages: In their order.
        runs: The known runs that are not finished or stopped, or all of them where that was asked for.
        damage: What was found damaged and skipped, as (run, problem).
        live: What the orchestrators that run or ran said last.
        stops: Whether somebody asked those who compute it to stop.
    """

    experiment: str
    description: str
    root: str
    stages: tuple[StageOverview, ...]
    runs: tuple[RunOverview, ...] = ()
    damage: tuple[tuple[str, str], ...] = ()
    live: tuple[Live, ...] = ()
    stops: bool = False

    @property
    def running(self) -> list[Live]:
        """The orchestrators that compute it, as far as one can know."""
        return [live for live in self.live if live.is_running]

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and values."""
        return {**asdict(self), "live": [{**live.to_json(), "age": live.age, "is_running": live.is_running} for live in self.live]}


def overview(store: Store, experiment: str, *, damage: bool = True, finished: bool = False) -> Overview:
    """Reads how an experiment stands.

    Args:
        store: The root.
        experiment: Its name.
        damage: Look for damaged files too, which needs a listing of all runs.
        finished: List the finished and stopped runs too.

    Raises:
        UnknownNameError: There is no experiment of this name.
    """
    check_experiment(store, experiment)
    record = read_json(store, f"experiments/{experiment}/experiment.json") or {}
    ledger, declared = Ledger(store), record.get("stages", [])
    stages = {str(stage["name"]): ledger.stage(experiment, str(stage["name"])) for stage in declared}
    runs = _runs(ledger, stages)
    live = tuple(read_live(store, experiment))
    return Overview(
        experiment,
        str(record.get("description", "")),
        store.uri,
        tuple(_stage(ledger, stage, stages[str(stage["name"])], runs, live) for stage in declared),
        tuple(run for run in runs if finished or run.state not in ("finished", "stopped")),
        _damage(ledger, runs) if damage else (),
        live,
        _stops(store, experiment, live),
    )


def _stops(store: Store, experiment: str, live: Sequence[Live]) -> bool:
    """Tells whether there is a request to stop that is younger than somebody who computes; those who began later do not obey it."""
    running = [one.started for one in live if one.is_running]
    return bool(running) and any(moment >= min(running) for moment in Control(store).times_of_stops(experiment))


def overviews(store: Store) -> list[Overview]:
    """Reads how all experiments of a root stand, by the records of their stages alone, sorted by name."""
    return [_brief(store, name) for name in experiments(store)]


def _brief(store: Store, experiment: str) -> Overview:
    record = read_json(store, f"experiments/{experiment}/experiment.json") or {}
    ledger, stages = Ledger(store), []
    for stage in record.get("stages", []):
        found = ledger.stage(experiment, str(stage["name"])) or {}
        counts = Counter(str(entry["state"]) for entry in found.get("runs", []))
        stages.append(StageOverview(str(stage["name"]), str(stage["kind"]), dict(counts), seconds=float(found.get("seconds", 0.0))))
    return Overview(experiment, str(record.get("description", "")), store.uri, tuple(stages), live=tuple(read_live(store, experiment)))


def _runs(ledger: Ledger, stages: Mapping[str, Mapping[str, Any] | None]) -> list[RunOverview]:
    entries = [(name, entry) for name, record in stages.items() if record for entry in record["runs"]]
    statuses = ledger.statuses({str(entry["run"]) for _, entry in entries})
    leases = Leases(ledger.store)
    return [_run(name, entry, statuses.get(str(entry["run"])), leases) for name, entry in entries]


def _run(stage: str, entry: Mapping[str, Any], status: RunStatus | None, leases: Leases) -> RunOverview:
    run, label = str(entry["run"]), str(entry["label"])
    if status is None:
        return RunOverview(run, stage, label, "missing")
    if status.state != "running":
        return RunOverview(run, stage, label, status.state, status.step, status.error)
    holder = leases.holder(run)
    state = "interrupted" if holder is None or holder.gone else "running"
    return RunOverview(run, stage, label, state, status.step, holder=holder)


def _stage(
    ledger: Ledger, declared: Mapping[str, Any], record: Mapping[str, Any] | None, runs: Sequence[RunOverview], live: Sequence[Live]
) -> StageOverview:
    name, kind = str(declared["name"]), str(declared["kind"])
    now = next((one.snapshot for one in live if one.is_running and one.snapshot.stage == name), None)
    counts = dict(Counter(run.state for run in runs if run.stage == name))
    if now is not None:  # its record is of its last end
        counts = {
            **now.ended,
            **({"running": len(now.running)} if now.running else {}),
            **({"missing": now.missing} if now.missing else {}),
        }
    if now is not None and now.goal is not None and now.goal.value is not None:
        return StageOverview(name, kind, counts, now.goal.label, now.goal.metric, now.goal.value, now.seconds)
    if record is None:
        return StageOverview(name, kind, counts)
    best, value = _best(ledger, record)
    return StageOverview(name, kind, counts, best, str(record.get("metric") or ""), value, float(record.get("seconds", 0.0)))


def _best(ledger: Ledger, record: Mapping[str, Any]) -> tuple[str, float | None]:
    entry = next((entry for entry in record["runs"] if entry["run"] == record.get("best")), None)
    if entry is None:
        return "", None
    evaluation = ledger.evaluation(str(entry["run"]), str(entry["evaluation"])) if entry.get("evaluation") else None
    value = (evaluation or {}).get("metrics", {}).get(record.get("metric"))
    return str(entry["label"]), None if value is None else float(value)


def _damage(ledger: Ledger, runs: Sequence[RunOverview]) -> tuple[tuple[str, str], ...]:
    """One listing finds the few runs of which anything is damaged."""
    damaged = {path.split("/")[1] for path in ledger.store.list("runs") if "/damage/" in path} if runs else set()
    return tuple((run, found.problem) for run in sorted(damaged & {run.run for run in runs}) for found in ledger.damage(run))
