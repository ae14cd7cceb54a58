"""Several processes on one root: each run has exactly one holder at any time, also while holders are killed."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNS = 50
RACER = Path(__file__).with_name("lease_racer.py")
DEADLINE_SECONDS = 300


@pytest.fixture(params=["folder", "s3"])
def uri(request, tmp_path):
    return str(tmp_path / "root") if request.param == "folder" else request.getfixturevalue("s3_uri")


class Race:
    """The processes, and what their logs say."""

    def __init__(self, uri: str, logs: Path, runs: int = RUNS, most: int = RUNS) -> None:
        self._uri, self._logs, self._runs, self._most, self._processes, self._killed = uri, logs, runs, most, [], {}

    def start(self) -> None:
        log = self._logs / f"{len(self._processes)}.log"
        command = [sys.executable, str(RACER), self._uri, str(self._runs), str(log), str(self._most)]
        self._processes.append(subprocess.Popen(command, cwd=RACER.parent.parent, env={**_environment(), "PYTHONPATH": "."}))

    def go(self) -> None:
        while not all(self.lines(number) for number in range(len(self._processes))):
            time.sleep(0.005)
        (self._logs / "go").touch()

    def kill_one_that_holds(self) -> None:
        """Kills a process between its `held` and its `gave`, without asking it for its result: it stays a zombie for a while."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            for number, process in enumerate(self._processes):
                lines = self.lines(number)
                if number not in self._killed and lines and lines[-1][0] in ("held", "computed"):
                    self._killed[number] = time.monotonic_ns()  # not later: another process takes over as soon as this one is dead
                    process.kill()
                    while _state(process.pid) != "Z":
                        time.sleep(0.001)
                    if self.lines(number)[-1][0] in ("held", "computed"):
                        return
                    self.start()
            time.sleep(0.001)
        raise AssertionError("nobody held anything")

    def finish(self) -> None:
        for number, process in enumerate(self._processes):
            code = process.wait(DEADLINE_SECONDS)
            assert code == 0 or number in self._killed

    def lines(self, number: int) -> list[list[str]]:
        log = self._logs / f"{number}.log"
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    def holdings(self) -> list[tuple[str, int, int, int]]:
        """Run, first and last moment, and process, of every time that a run was held; one that was killed held it until then."""
        found = []
        for number in range(len(self._processes)):
            began = {}
            for word, run, moment in self.lines(number):
                if word == "held":
                    began[run] = int(moment)
                elif word == "gave":
                    found.append((run, began.pop(run), int(moment), number))
            found += [(run, moment, self._killed[number], number) for run, moment in began.items()]
        return sorted(found)

    def computed(self) -> list[str]:
        return sorted(run for number in range(len(self._processes)) for word, run, _ in self.lines(number) if word == "computed")


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def overlaps(holdings) -> list[tuple]:
    return [(one, other) for one, other in itertools.pairwise(holdings) if one[0] == other[0] and other[1] < one[2]]


@pytest.mark.data
@pytest.mark.parametrize("processes", [2, 8])
def test_each_run_has_one_holder_at_any_time(uri, processes, tmp_path):
    share = (RUNS - 1) // (processes - 1)  # all but one cannot do it all: a process that the machine holds up is left something
    race = Race(uri, tmp_path, most=share)
    for _ in range(processes):
        race.start()
    race.go()
    race.finish()
    assert overlaps(race.holdings()) == []
    assert race.computed() == [f"run{number:02d}" for number in range(RUNS)], "each once"
    assert len({holding[3] for holding in race.holdings()}) == processes, "all took part"


@pytest.mark.data
def test_each_run_has_one_holder_while_holders_are_killed(uri, tmp_path):
    runs, kills = RUNS if uri.startswith("/") else 20, 3
    race = Race(uri, tmp_path, runs)
    for _ in range(3):
        race.start()
    race.go()
    for _ in range(kills):
        race.kill_one_that_holds()
        race.start()
    race.finish()
    assert overlaps(race.holdings()) == []
    assert set(race.computed()) == {f"run{number:02d}" for number in range(runs)}
    assert len(race.computed()) <= runs + kills, "only what a killed process had begun was computed again"
