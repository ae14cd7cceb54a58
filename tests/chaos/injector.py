"""Which fault comes when: a function of the seed and of the experiment's stages, on any machine.

Moments are told in training steps that were computed, never in seconds: a slow machine gets the same faults at the same places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Fault = Literal["training worker", "trial actor", "orchestrator", "node", "store"]
DISTRIBUTED: tuple[Fault, ...] = ("training worker", "trial actor", "orchestrator", "node", "store")
INLINE: tuple[Fault, ...] = ("trial actor", "orchestrator", "node", "store")
OUTAGES = ((0.0, "refused"), (5.0, "refused"), (5.0, "silent"), (30.0, "refused"), (30.0, "silent"))
"""Seconds for which the store is away, and how; see `outages.Gate.away`."""

_AT_ONCE = 0.2
_LONGEST_PAUSE_SECONDS = 8.0


@dataclass(frozen=True)
class Phase:
    """A part of the experiment in which the same faults make sense.

    Attributes:
        name: For people.
        steps: Training steps that it computes.
        faults: What can happen in it.
    """

    name: str
    steps: int
    faults: tuple[Fault, ...] = INLINE


@dataclass(frozen=True)
class Injection:
    """One fault.

    Attributes:
        at: Comes when so many different steps were computed, over all runs.
        pause: And so many seconds later: above zero where the fault is to hit those who are just starting again.
        fault: What happens.
        phase: Where.
        choice: From 0 to 1: picks the victim among several.
        seconds: How long the store is away.
        absence: How the store is away.
    """

    at: int
    pause: float
    fault: Fault
    phase: str
    choice: float
    seconds: float = 0.0
    absence: str = ""

    def __str__(self) -> str:
        """Names it in one line."""
        store = f", {self.absence} for {self.seconds:g} s" if self.fault == "store" else ""
        later = f" and {self.pause:.1f} s later" if self.pause else ""
        return f"step {self.at}{later}, {self.phase}: {self.fault}{store}"


class Injector:
    """Draws faults.

    Args:
        seed: Another seed, other faults at other moments.
        phases: The experiment's parts in the order in which they are computed.
    """

    def __init__(self, seed: int, phases: Sequence[Phase]) -> None:
        self.seed, self.phases = seed, tuple(phases)

    def schedule(self, count: int) -> list[Injection]:
        """Returns `count` faults in the order in which they come.

        They are spread over the experiment: each has its own stretch, and a random place in it. One in five comes within seconds
        after the one before, while what that one ended is starting again. Within a phase no fault comes again before all others
        of the phase have come, and of the outages none before all others have.
        """
        chance = np.random.default_rng(self.seed)
        total = sum(phase.steps for phase in self.phases)
        decks = {phase.name: _deck(chance, phase.faults) for phase in self.phases}
        outages = _deck(chance, OUTAGES)
        made: list[Injection] = []
        for number in range(count):
            at = 1 + int((number + chance.random()) * (total - 2) / count)
            pause = 0.0
            if made and chance.random() < _AT_ONCE:
                at, pause = made[-1].at, float(chance.uniform(0.5, _LONGEST_PAUSE_SECONDS))
            phase = self._phase_at(at)
            fault = next(decks[phase.name])
            seconds, absence = next(outages) if fault == "store" else (0.0, "")
            made.append(Injection(at, pause, fault, phase.name, float(chance.random()), seconds, absence))
        return made

    def _phase_at(self, step: int) -> Phase:
        end = 0
        for phase in self.phases:
            end += phase.steps
            if step < end:
                return phase
        return self.phases[-1]


def _deck(chance: np.random.Generator, cards: Sequence) -> Iterator:
    """Deals all cards in random order, then all again."""
    while True:
        for index in chance.permutation(len(cards)):
            yield cards[index]
