"""Runs an experiment, injects faults, starts it again, until it is finished; and says what that cost."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chaos.counting import Counts
from chaos.injector import Injection
from chaos.setup import LocalSetup

_LOOK_SECONDS = 0.05
_LINES = 25


class ChaosError(Exception):
    """The experiment did not come to its end."""


@dataclass
class Journal:
    """What happened.

    Attributes:
        injected: Faults that hit something, and what they hit.
        missed: Faults that found no victim.
        crashes: How often the orchestrator ended by itself without having finished, and its last lines.
        seconds: Wall clock from the first start to the end.
    """

    injected: list[tuple[Injection, str]] = field(default_factory=list)
    missed: list[Injection] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Campaign:
    """One experiment under a schedule of faults.

    Attributes:
        setup: Where it runs.
        counts: Steps that were computed.
        say: Gets a line for each thing that happens.
        patience: Seconds without any progress after which it counts as hanging.
        restarts: How often the command is started again after it ended by itself without success.
    """

    setup: LocalSetup
    counts: Counts
    say: Callable[[str], None] = print
    patience: float = 300.0
    restarts: int = 5

    def run(self, schedule: Sequence[Injection] = ()) -> Journal:
        """Runs the experiment to its end, under `schedule`.

        Raises:
            ChaosError: It hangs, or ends without success more often than it may.
        """
        journal, waiting, started = Journal(), list(schedule), time.monotonic()
        self._moved = (time.monotonic(), -1)
        self.setup.start()
        try:
            while not self._is_over(journal):
                self.counts.update()
                self._look_for_a_hang()
                if waiting and self.counts.progress >= waiting[0].at:
                    self._inject(waiting.pop(0), journal)
                time.sleep(_LOOK_SECONDS)
        finally:
            self.setup.end()
        self.counts.update()
        journal.seconds = time.monotonic() - started
        return journal

    def _inject(self, injection: Injection, journal: Journal) -> None:
        time.sleep(injection.pause)
        hit = self.setup.inject(injection)
        self.say(f"  {self.counts.progress:6d} steps  {injection}: {hit or 'no victim'}")
        if hit:
            journal.injected.append((injection, hit))
        else:
            journal.missed.append(injection)
        self._moved = (time.monotonic(), self._moved[1])

    def _is_over(self, journal: Journal) -> bool:
        code = self.setup.process.poll()
        if code is None or code == 0:
            return code == 0
        last = "\n".join(self.setup.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:])
        journal.crashes.append(f"exit {code}: {last}")
        self.say(f"  {self.counts.progress:6d} steps  the orchestrator ended by itself with {code}:\n{last}")
        if len(journal.crashes) > self.restarts:
            raise ChaosError(f"the orchestrator ended {len(journal.crashes)} times by itself; the last time: {last}")
        self.setup.start()
        return False

    def _look_for_a_hang(self) -> None:
        since, computed = self._moved
        now = self.counts.computed.total() + self.counts.starts.total()
        if now != computed:
            self._moved = (time.monotonic(), now)
        elif time.monotonic() - since > self.patience:
            raise ChaosError(f"no step for {self.patience:.0f} s; {self.setup.log}: {self.setup.log.read_text()[-2000:]}")


def leftovers(setup: LocalSetup, patience: float = 30.0) -> dict[str, list[str]]:
    """Returns what is left on the cluster after the experiment, once it had `patience` seconds to vanish: nothing, one hopes."""
    deadline = time.monotonic() + patience
    while True:
        answer = subprocess.run(
            [sys.executable, "-m", "chaos.leftovers"],
            env=setup.cluster.for_drivers,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        found = {**json.loads(answer.stdout.splitlines()[-1]), "processes": setup.actors()}
        if not any(found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(2)
