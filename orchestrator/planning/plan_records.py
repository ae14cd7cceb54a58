"""What a plan holds, as texts for a table and as JSON for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from g3dr.errors import G3drError
from orchestrator.planning.capacity import Capacity, Executor, Resources
from orchestrator.planning.durations import Span, span_in_words, total
from orchestrator.planning.estimates import StageTime
from orchestrator.planning.expense import Estimate, Rent
from orchestrator.planning.prices import Cost
from orchestrator.runs import RunRequest

_LONGEST_SOURCE = 12


class InfeasibleError(G3drError):
    """The cluster is too small for a stage."""


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan.

    Attributes:
        name: The stage.
        kind: train, sweep, grid or evaluate.
        data: Its data set.
        source: What it starts from, as the file says it; empty for random weights.
        requests: Runs that are known by name.
        runs: How many it has in all; None if that is not known yet.
        finished: How many of them are in the ledger.
        steps: Optimizer steps of its unfinished runs, without those that an earlier stage does; None if that is not known yet.
        waits_for: Why some runs cannot be named yet; empty if all can.
        executor: How its runs are computed.
        resources: What each run gets.
        concurrency: Runs at a time.
        infeasible: Why it cannot run on this cluster; empty if it can, or if nothing of it is left to do.
        shared: Who else asks for a run, by its id: earlier stages of this file, and `experiment/stage` of others in the ledger.
        time: How long it will take.
        cost: What it will cost; None without prices.
        rent: What its machines cost by the hour; None without prices.
    """

    name: str
    kind: str
    data: str
    source: str
    requests: tuple[RunRequest, ...]
    runs: int | None
    finished: int
    steps: int | None
    waits_for: str
    executor: Executor
    resources: Resources
    concurrency: int
    infeasible: str
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    time: StageTime = field(default_factory=StageTime)
    cost: Cost | None = None
    rent: Rent | None = None

    @property
    def new(self) -> int | None:
        """Runs that are still to do."""
        return None if self.runs is None else self.runs - self.finished

    @property
    def estimate(self) -> Estimate:
        """What is left of it, for a `Watch`: the middles of the ranges."""
        seconds = None if self.time.seconds is None else self.time.seconds.middle
        if self.cost is None:
            return Estimate(seconds, rent=self.rent)
        return Estimate(seconds, self.cost.amount.middle, self.cost.currency, self.rent)

    @property
    def sharers(self) -> dict[str, int]:
        """How many runs each of those has that ask for the same."""
        counts: dict[str, int] = {}
        for others in self.shared.values():
            for other in others:
                counts[other] = counts.get(other, 0) + 1
        return counts


@dataclass(frozen=True)
class Plan:
    """All stages of an experiment.

    Attributes:
        experiment: Its name.
        description: Its sentence.
        root: Where everything is kept.
        capacity: The cluster that it was planned for.
        stages: In the order in which they run, one after the other.
        machine: Kind of machine that it was planned for; empty if that is not known.
        currency: Of the costs; empty without prices.
    """

    experiment: str
    description: str
    root: str
    capacity: Capacity
    stages: tuple[StagePlan, ...]
    machine: str = ""
    currency: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of `table`: costs where there are prices, in the place of the data sets, which any file shows."""
        return tuple(_cells(self.stages[0], self.currency))

    @property
    def seconds(self) -> Span | None:
        """How long it will take, without packing data and starting Ray; None if that is not known of every stage."""
        spans = [stage.time.seconds for stage in self.stages]
        known = [span for span in spans if span is not None]
        return total(known) if len(known) == len(spans) else None

    @property
    def known_seconds(self) -> Span:
        """How long those stages will take of which that is known."""
        return total([stage.time.seconds for stage in self.stages if stage.time.seconds is not None])

    @property
    def cost(self) -> Span | None:
        """What it will cost; None without prices, or where some stage has none."""
        amounts = [stage.cost.amount for stage in self.stages if stage.cost is not None]
        return total(amounts) if self.currency and len(amounts) == len(self.stages) else None

    def table(self) -> list[tuple[str, ...]]:
        """Returns one row of texts per stage, for `columns`."""
        return [tuple(_cells(stage, self.currency).values()) for stage in self.stages]

    def check(self) -> None:
        """Refuses a plan that does not fit.

        Raises:
            InfeasibleError: With one sentence per stage that asks for more than there is.
        """
        problems = [stage.infeasible for stage in self.stages if stage.infeasible]
        if problems:
            raise InfeasibleError("\n".join(problems))

    def to_json(self) -> dict[str, Any]:
        """Returns the plan for programs; docs/plan.md says what the keys mean."""
        return {
            "experiment": self.experiment,
            "description": self.description,
            "root": self.root,
            "machine": self.machine,
            "capacity": asdict(self.capacity),
            "seconds": _span(self.seconds),
            "cost": _span(self.cost),
            "currency": self.currency or None,
            "fits": not any(stage.infeasible for stage in self.stages),
            "stages": [_stage_to_json(stage) for stage in self.stages],
        }

    def _repr_html_(self) -> str:
        """Shows the plan as a table in notebooks."""
        from orchestrator.planning.plan_html import plan_html  # noqa: PLC0415

        return plan_html(self)


def time_words(stage: StagePlan) -> str:
    """Returns the time of a stage: a range, `-` where nothing is left to do, `unknown` where nothing like it was measured."""
    if stage.new == 0:
        return "-"
    if stage.time.seconds is None:
        return "unknown"
    return ("~" if stage.time.basis == "scaled" else "") + span_in_words(stage.time.seconds)


def cost_words(amount: Span | None, currency: str) -> str:
    """Returns an amount of money as a range."""
    return "unknown" if amount is None else f"{_amounts(amount)} {currency}"


def _amounts(amount: Span) -> str:
    digits = 2 if amount.high < 100 else 0
    low, high = f"{amount.low:,.{digits}f}", f"{amount.high:,.{digits}f}"
    return high if low == high else f"{low} to {high}"


def resource_words(resources: Resources) -> str:
    """Returns what a run gets, such as `2 workers with 4 CPUs and 1 GPU each, distributed`."""
    amounts = ((resources.cpus_per_worker, "CPU"), (resources.gpus_per_worker, "GPU"))
    each = " and ".join(f"{number:g} {unit}{'' if number <= 1 else 's'}" for number, unit in amounts if number) or "nothing"
    return (
        f"{each}, {resources.executor}" if resources.workers == 1 else f"{resources.workers} workers with {each} each, {resources.executor}"
    )


def _cells(stage: StagePlan, currency: str) -> dict[str, str]:
    """The texts of a row by their headings."""
    data = {} if currency else {"data": stage.data}
    cost = {f"cost, {currency}": _cost(stage)} if currency else {}
    return {
        "stage": stage.name,
        "kind": stage.kind,
        **data,
        "from": _shortened(stage.source) or "-",
        "runs": _count(stage.runs),
        "done": str(stage.finished),
        "new": _count(stage.new),
        "steps": "?" if stage.steps is None else f"{stage.steps:,}",
        "time": time_words(stage),
        **cost,
        "at once": str(stage.concurrency),
    }


def _shortened(source: str) -> str:
    """The end of a path says more than its beginning."""
    return source if len(source) <= _LONGEST_SOURCE or "/" not in source else "..." + source[3 - _LONGEST_SOURCE :]


def _cost(stage: StagePlan) -> str:
    if stage.new == 0:
        return "-"
    return "unknown" if stage.cost is None else _amounts(stage.cost.amount)


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _span(span: Span | None) -> dict[str, float] | None:
    return None if span is None else span.to_json()


def _stage_to_json(stage: StagePlan) -> dict[str, Any]:
    plain = {name: getattr(stage, name) for name in ("name", "kind", "data", "source", "runs", "finished", "new", "steps", "waits_for")}
    placed = {
        "executor": stage.executor,
        "resources": asdict(stage.resources),
        "concurrency": stage.concurrency,
        "infeasible": stage.infeasible,
    }
    time = {"seconds": _span(stage.time.seconds), "basis": stage.time.basis, "samples": stage.time.samples}
    return {
        **plain,
        **placed,
        "time": time,
        "cost": _cost_to_json(stage.cost),
        "requests": [_request_to_json(stage, request) for request in stage.requests],
    }


def _cost_to_json(cost: Cost | None) -> dict[str, Any] | None:
    return None if cost is None else {**asdict(cost), "amount": cost.amount.to_json()}


def _request_to_json(stage: StagePlan, request: RunRequest) -> dict[str, Any]:
    evaluation = request.measurement or None
    return {"run": request.spec.id, "evaluation": evaluation, "label": request.label, "shared": list(stage.shared.get(request.spec.id, ()))}
