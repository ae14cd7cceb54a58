"""How an experiment stands, read from the store alone: for `g3dr status` in any terminal on any machine."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from orchestrator.finding import check_experiment, experiments
from orchestrator.ledger import Holder, Leases, Ledger, RunStatus
from orchestrator.ledger.records import read_json
from orchestrator.running.control import Control
from orchestrator.running.judging import Judge, counts_at
from orchestrator.running.live import Live, read_live
from orchestrator.running.snapshot import Snapshot
from orchestrator.store import Store


@dataclass(frozen=True)
class RunOverview:
    """A run as a stage knows it.

    Attributes:
        run: Its id.
        stage: The stage.
        label: Its name there.
        state: One of `judging.STATES`.
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
        runs: Its known runs by state; empty before it began. Those of the present stage are all that it will have.
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
    seen = _Seen.of(store, experiment)
    runs = _runs(seen)
    return Overview(
        experiment,
        str(seen.record.get("description", "")),
        store.uri,
        tuple(_with_best(seen, stage) for stage in _stages(seen, runs)),
        tuple(run for run in runs if finished or run.state not in ("finished", "stopped")),
        _damage(seen.ledger, runs) if damage else (),
        seen.live,
        _stops(store, experiment, seen.live),
    )


@dataclass(frozen=True)
class _Seen:
    """What is read of an experiment at first: its record, those of its stages that have begun, and its orchestrators."""

    ledger: Ledger
    record: Mapping[str, Any]
    stages: Mapping[str, Mapping[str, Any] | None]
    live: tuple[Live, ...]

    @classmethod
    def of(cls, store: Store, experiment: str) -> "_Seen":
        record, ledger = read_json(store, f"experiments/{experiment}/experiment.json") or {}, Ledger(store)
        live = tuple(read_live(store, experiment))  # first: what ends meanwhile is over in both
        stages = {str(stage["name"]): ledger.stage(experiment, str(stage["name"])) for stage in record.get("stages", [])}
        return cls(ledger, record, stages, live)

    @property
    def now(self) -> list[Snapshot]:
        """What the orchestrators that live say."""
        return [one.snapshot for one in self.live if one.is_running]


def _stops(store: Store, experiment: str, live: Sequence[Live]) -> bool:
    """Tells whether there is a request to stop that is younger than somebody who computes; those who began later do not obey it."""
    running = [one.started for one in live if one.is_running]
    return bool(running) and any(moment >= min(running) for moment in Control(store).times_of_stops(experiment))


def overviews(store: Store) -> list[Overview]:
    """Reads how all experiments of a root stand, without their best runs, sorted by name.

    Of runs, only those are read that were not over when their stage was recorded last.
    """
    return [_brief(store, name) for name in experiments(store)]


def _brief(store: Store, experiment: str) -> Overview:
    seen = _Seen.of(store, experiment)
    stages = tuple(_stages(seen, _runs(seen, settled=("finished", "stopped"))))
    return Overview(experiment, str(seen.record.get("description", "")), store.uri, stages, live=seen.live)


def _runs(seen: _Seen, settled: Collection[str] = ()) -> list[RunOverview]:
    """Judges the known runs; what the record of a stage says is believed of those that are in a state of `settled` there."""
    entries = [(name, entry) for name, record in seen.stages.items() if record for entry in record["runs"]]
    statuses = seen.ledger.statuses({str(entry["run"]) for _, entry in entries if entry.get("state") not in settled})
    judge = Judge(seen.now, list(seen.stages), Leases(seen.ledger.store))
    return [_run(name, entry, statuses.get(str(entry["run"])), judge, settled) for name, entry in entries]


def _run(stage: str, entry: Mapping[str, Any], status: RunStatus | None, judge: Judge, settled: Collection[str]) -> RunOverview:
    run, label = str(entry["run"]), str(entry["label"])
    if entry.get("state") in settled:
        return RunOverview(run, stage, label, str(entry["state"]))
    state, holder = judge(stage, label, run, status)
    if status is None:
        return RunOverview(run, stage, label, state, holder=holder)
    is_over = state == status.state != "running"  # else the error is one of an earlier attempt
    return RunOverview(run, stage, label, state, status.step, status.error if is_over else None, holder)


def _stages(seen: _Seen, runs: Sequence[RunOverview]) -> list[StageOverview]:
    return [_stage(seen, str(declared["name"]), str(declared["kind"]), runs) for declared in seen.record.get("stages", [])]


def _stage(seen: _Seen, name: str, kind: str, runs: Sequence[RunOverview]) -> StageOverview:
    counts = dict(Counter(run.state for run in runs if run.stage == name))
    now = _present(seen, name)
    if not now:
        return StageOverview(name, kind, counts, seconds=float((seen.stages[name] or {}).get("seconds", 0.0)))
    return StageOverview(name, kind, counts_at(now, counts), seconds=now[0].seconds)


def _present(seen: _Seen, stage: str) -> list[Snapshot]:
    """Returns what the orchestrators say that are at a stage; its record is of its last end."""
    return [one for one in seen.now if one.stage == stage]


def _with_best(seen: _Seen, stage: StageOverview) -> StageOverview:
    """Adds the best run: of the present stage the best so far, of others that of their record."""
    now, record = _present(seen, stage.name), seen.stages[stage.name]
    if now and now[0].goal is not None and now[0].goal.value is not None:
        return replace(stage, best=now[0].goal.label, metric=now[0].goal.metric, value=now[0].goal.value)
    if record is None:
        return stage
    best, value = _best(seen.ledger, record)
    return replace(stage, best=best, metric=str(record.get("metric") or ""), value=value)


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
