"""The metrics by name; the table of docs/observability.md and the dashboard are checked against this list.

Names follow Prometheus' rules: base units, `_total` for what only grows. Labels have few values: never a run's id or label, so that ten
thousand runs make as many series as ten.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "ray_"
"""Ray's exporter puts it before every name."""

STATES = ("finished", "stopped", "failed", "cancelled", "interrupted", "running", "waiting", "missing")
"""Every run of a stage is in one of them; `missing` has not begun, `interrupted` was let go of before its end."""


@dataclass(frozen=True)
class Metric:
    """One number.

    Attributes:
        name: As it is given to Ray.
        kind: `counter` only grows, also from one orchestrator to the next; `gauge` is how things stand.
        labels: What it is told apart by.
        meaning: For people.
    """

    name: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    meaning: str

    @property
    def exported(self) -> str:
        """The name that Prometheus sees."""
        return PREFIX + self.name


_STAGE = ("experiment", "stage")
RUNS = Metric("g3dr_runs", "gauge", (*_STAGE, "state"), f"Runs of a stage by state: {', '.join(STATES)}. All states together are its runs.")
STEPS = Metric("g3dr_steps_total", "counter", _STAGE, "Training steps that runs reported, with those that were done twice.")
REPEATED = Metric("g3dr_steps_repeated_total", "counter", _STAGE, "Those that were done before, and lost with a process or a machine.")
RATE = Metric("g3dr_steps_per_second", "gauge", _STAGE, "Steps per second of all runs of the stage together, over the last half minute.")
FAILURES = Metric(
    "g3dr_failures_total",
    "counter",
    (*_STAGE, "kind"),
    "Attempts at runs that ended too early, by kind: crash, preemption, unplaced, out_of_memory, non_finite, input.",
)
RETRIES = Metric("g3dr_retries_total", "counter", (*_STAGE, "kind"), "Those of them after which the run is tried again.")
NEWS = Metric(
    "g3dr_last_news_timestamp_seconds",
    "gauge",
    _STAGE,
    "When a run was last heard of, seconds since 1970. A time and not an age: it stays right if nobody renews it.",
)
BEST = Metric("g3dr_objective_best", "gauge", (*_STAGE, "objective"), "The best so far of what the stage compares its runs by.")
COST = Metric(
    "g3dr_cost_total",
    "counter",
    (*_STAGE, "currency"),
    "Price of the machines that runs filled while they were computed, by your file of prices; absent without one. The head, and machines "
    "that start or idle, come on top.",
)
COST_LEFT = Metric("g3dr_cost_left", "gauge", (*_STAGE, "currency"), "Price of what is left of the stage, as the plan estimates it.")
TIME_LEFT = Metric("g3dr_time_left_seconds", "gauge", _STAGE, "Time to the end of the stage, by its own pace; absent while unknown.")
STORE = Metric(
    "g3dr_store_retries_total", "counter", ("experiment",), "Requests to the object store that the orchestrator's process made again."
)

METRICS = (RUNS, STEPS, REPEATED, RATE, FAILURES, RETRIES, NEWS, BEST, COST, COST_LEFT, TIME_LEFT, STORE)


def table() -> str:
    """Returns the metrics as a table in Markdown, as docs/observability.md has it."""
    rows = [f"| `{metric.exported}` | {metric.kind} | {', '.join(metric.labels)} | {metric.meaning} |" for metric in METRICS]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])
