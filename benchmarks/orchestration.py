"""What orchestration costs: sweeps of simulated runs against the ideal, and how long a run takes to start.

    python -m benchmarks.orchestration --only sweep_overhead_1s

The ideal is arithmetic: as many runs as there are slots sleep at once, and nothing else takes any time.
"""

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks.simulated import SimulatedRun
from benchmarks.studies import overhead_study, start_study
from orchestrator.ledger import LeaseKeeper, Leases
from orchestrator.planning.capacity import Resources
from orchestrator.planning.expand_sweep import sweep_proposals
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.running.control import Control
from orchestrator.running.desk import LedgerDesk
from orchestrator.running.execution import Execution
from orchestrator.running.watching import Watch

SLOTS = 2
EXAMPLE = "example: python -m benchmarks.orchestration --only sweep_overhead_1s"


@dataclass
class Starts(Watch):
    """Takes the time of every start, first report and end.

    Attributes:
        handed: When each run was handed to Tune.
        first: When its first report came.
        ended: When each run ended, in order.
        memory: Resident memory of this process at every end, bytes.
    """

    handed: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    ended: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def run_started(self, label: str, run: str, steps: int) -> None:  # noqa: ARG002  (the watch's signature)
        """A run was handed out."""
        self.handed[label] = time.perf_counter()

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002
        """A run reported."""
        self.first.setdefault(label, time.perf_counter())

    def run_ended(self, label: str, state: str, error: str | None) -> None:  # noqa: ARG002
        """A run is over."""
        self.ended.append(time.perf_counter())
        self.memory.append(resident_bytes())
        self.handed.pop(label, None) if len(self.ended) > 100 else None
        self.first.pop(label, None) if len(self.ended) > 100 else None


def resident_bytes() -> int:
    """Returns the memory that this process occupies now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def sweep_overhead(runs: int, seconds: float, algorithm: str = "optuna") -> dict[str, float]:
    """Runs a sweep of simulated runs on two slots, with ledger, logging and search.

    Args:
        runs: How many.
        seconds: How long each sleeps.
        algorithm: The search.

    Returns:
        Seconds of the sweep and of the ideal, the overhead, what is between two runs of a slot, and the driver's memory.
    """
    with tempfile.TemporaryDirectory() as folder, _cluster():
        return measured_sweep(Execution(overhead_study(folder, runs, seconds, algorithm)), runs, seconds)


def measured_sweep(execution: Execution, runs: int, seconds: float) -> dict[str, float]:
    """Runs the only stage of `overhead_study` on the connected cluster; see `sweep_overhead`."""
    from orchestrator.executors.tuning import Work, compute  # noqa: PLC0415  (brings ray.tune)

    knowledge = Knowledge({"animals": DatasetInfo("uri", "version", ("a",))}, execution.outcome)
    stage, watch = execution.experiment.stages[0], Starts()
    proposals = sweep_proposals(execution.experiment, stage, knowledge)  # type: ignore[arg-type]  # a sweep
    with LeaseKeeper(Leases(execution.store)) as keeper:
        desk = LedgerDesk("overhead", execution.ledger, execution.outcomes, keeper=keeper, control=Control(execution.store))
        began = time.perf_counter()
        work = Work(proposals, Resources(), SLOTS, inline=SimulatedRun)
        compute(work, desk, root=execution.store, policy=execution.policy, watch=watch)
        return _figures(watch, runs, seconds, time.perf_counter() - began)


def _figures(watch: Starts, runs: int, seconds: float, whole: float) -> dict[str, float]:
    """The start of Tune and its actors is told apart: it is paid once, whatever the number of runs."""
    ideal = runs * seconds / SLOTS
    steady = watch.ended[-1] - watch.ended[SLOTS - 1]
    ideal_steady = (runs - SLOTS) * seconds / SLOTS
    tenth = max(1, runs // 10)
    return {
        "runs": runs,
        "whole_s": whole,
        "ideal_s": ideal,
        "overhead": whole / ideal - 1,
        "start_and_end_s": whole - steady,
        "steady_overhead": steady / ideal_steady - 1,
        "between_runs_ms": 1000 * SLOTS * (steady - ideal_steady) / (runs - SLOTS),
        "memory_after_a_tenth_mb": watch.memory[tenth] / 2**20,
        "memory_at_the_end_mb": watch.memory[-1] / 2**20,
    }


def driver_memory(runs: int) -> dict[str, float]:
    """Runs a grid of many simulated runs that take no time, and watches the driver's memory."""
    gc.collect()
    found = sweep_overhead(runs, 0.001, "random")
    return {name: found[name] for name in ("runs", "whole_s", "memory_after_a_tenth_mb", "memory_at_the_end_mb")}


def trial_start() -> dict[str, float]:
    """Takes the time from handing a run out to its first report, after a step of a tiny model: new process, warm process, two workers."""
    with tempfile.TemporaryDirectory() as folder, _cluster():
        watch = Starts()
        Execution(start_study(folder, workers=1), watch).run()
        inline = [watch.first[label] - watch.handed[label] for label in watch.first]
        watch = Starts()
        Execution(start_study(folder, workers=2), watch).run()
        distributed = [watch.first[label] - watch.handed[label] for label in watch.first]
    return {"cold_inline_s": inline[0], "warm_inline_s": sorted(inline[1:])[len(inline[1:]) // 2], "distributed_s": distributed[0]}


@contextmanager
def _cluster() -> Iterator[None]:
    """A Ray of this process's own, as `g3dr run` starts one."""
    from orchestrator.cluster import connected  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="g3o") as home:
        os.environ |= {"HOME": home, "G3DR_RAY_TEMP": f"{home}/r", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
        os.environ.pop("RAY_ADDRESS", None)
        with connected():
            yield


MEASUREMENTS: Mapping[str, Callable[[], dict[str, float]]] = {
    "sweep_overhead_100ms": lambda: sweep_overhead(1000, 0.1),
    "sweep_overhead_1s": lambda: sweep_overhead(200, 1.0),
    "driver_memory": lambda: driver_memory(10_000),
    "trial_start": trial_start,
}


def main() -> int:
    """Measures what was asked for and prints it; each in a process of its own, because a process starts Ray well only once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__.splitlines()[0], epilog=EXAMPLE)
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS), help="this measurement; repeatable")
    names = parser.parse_args().only or list(MEASUREMENTS)
    if len(names) > 1:
        command = [sys.executable, "-m", "benchmarks.orchestration", "--only"]
        return max(subprocess.run([*command, name], check=False).returncode for name in names)
    console = Console(soft_wrap=True, highlight=False)
    for what, value in MEASUREMENTS[names[0]]().items():
        console.print(f"{names[0]}, {what}: {value:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
