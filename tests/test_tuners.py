"""One Tuner after the other. Marked `ray` because it imports Ray; it starts none."""

import pytest
from test_queue import World, drain, make_queue, requests

from g3dr.errors import DataError
from orchestrator.executors import tuning
from orchestrator.running.watching import Watch

pytestmark = pytest.mark.ray


class Notes(Watch):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_tuner_that_breaks_down_is_replaced_and_its_runs_are_not_lost(monkeypatch) -> None:
    world, runs, watch, begun = World(), requests(3), Notes(), []
    queue = make_queue(world, runs)

    def begin() -> None:
        begun.append(None)
        queue.suggest("held")
        if len(begun) < 3:
            raise OSError("the bucket did not answer\nand more")
        queue.close()
        computed.extend(drain(queue, world))

    computed: list[str] = []
    monkeypatch.setattr(tuning, "_LOOK_SECONDS", 0.0)
    tuning._until_over(queue, begin, watch)
    assert sorted(computed) == sorted(run.label for run in runs)
    assert watch.notes == ["Ray Tune broke down (OSError: the bucket did not answer) and is started again"] * 2
    assert world.holders == {}


def test_one_that_always_breaks_down_is_not_begun_for_ever(monkeypatch) -> None:
    world, begun = World(), []

    def begin() -> None:
        begun.append(None)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        tuning._until_over(make_queue(world, requests(1)), begin, Notes())
    assert len(begun) == 4


def test_what_is_the_inputs_fault_ends_at_once() -> None:
    def begin() -> None:
        raise DataError("the dataset has changed")

    with pytest.raises(DataError):
        tuning._until_over(make_queue(World(), requests(1)), begin, Notes())
