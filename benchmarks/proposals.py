"""What a search takes to propose a trial, in processor time of one core.

python -m benchmarks.proposals
"""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestrator.experiment.axes import Axis, parse_axis
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search import TrialResult
from orchestrator.search.samplers import make_sampler

AXES: dict[str, Axis] = {
    "form": parse_axis(["l1", "cosine", "l2"]),
    "rate": parse_axis({"log_uniform": [1e-4, 1e-1]}),
    "batch": parse_axis({"integer": [1, 9]}),
    "weight": parse_axis({"uniform": [0, 1]}),
    "shape": parse_axis(["small", "large"]),
}
TWO = [{"metric": "depth_rmse"}, {"metric": "seconds_per_step"}]
SEARCHES: dict[str, dict[str, Any]] = {
    "random": {"algorithm": "random"},
    "optuna (TPE), one objective": {"algorithm": "optuna"},
    "optuna (TPE), two objectives": {"algorithm": "optuna", "objectives": TWO},
    "nsga2, two objectives": {"algorithm": "nsga2", "objectives": TWO},
}
TRIALS, WINDOW = 1000, 100


def _values(assignment: Assignment, count: int) -> tuple[float, ...]:
    first = abs(assignment["rate"] - 0.01) + 0.1 * assignment["batch"] + assignment["weight"]
    return (first, assignment["weight"] - first)[:count]


def milliseconds(search: SearchSpec) -> Iterator[float]:
    """Yields the processor time of every proposal, milliseconds."""
    sampler, history = make_sampler(AXES, search), list[TrialResult]()
    for index in range(TRIALS):
        started = time.process_time()
        assignment = sampler.propose(index, history[: index - index % (search.wave or TRIALS)]).assignment
        yield 1000 * (time.process_time() - started)
        history.append(TrialResult(index, assignment, _values(assignment, len(search.goals))))


def main() -> None:
    """Prints the medians over the first and the last hundred of 1,000 trials."""
    table = Table("search", "first 100, ms", "last 100 of 1,000, ms", "all, s")
    for name, values in SEARCHES.items():
        times = list(milliseconds(SearchSpec.model_validate({"trials": TRIALS, **values})))
        medians = (f"{statistics.median(part):.1f}" for part in (times[:WINDOW], times[-WINDOW:]))
        table.add_row(name, *medians, f"{sum(times) / 1000:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
