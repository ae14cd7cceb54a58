"""Who waits for the demo's one computation: in their order, withdrawn, forgotten, told."""

import threading
import time

import pytest
from demo_fixture import until

from g3dr.errors import DataError
from orchestrator.demo import line as lines
from orchestrator.demo.line import Line, Result

pytestmark = pytest.mark.unit


class Work:
    """Work that goes on until the test lets it end."""

    def __init__(self):
        self.begun, self.go, self.done = [], threading.Event(), []

    def __call__(self, order, report):
        self.begun.append(order)
        while not self.go.is_set():
            report("working", 0.5)
            time.sleep(0.002)
        self.done.append(order)
        return Result({"a": b"1"}, {})


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def line(work):
    line = Line(work)
    yield line
    work.go.set()
    line.close()
    assert not line._thread.is_alive()


def test_orders_are_worked_on_in_their_order_and_see_who_is_before_them(line, work):
    names = [line.add(order) for order in "abc"]
    until(lambda: work.begun)
    assert [line.standing(name).before for name in names] == [0, 1, 2]
    assert line.standing(names[0]).state == "running"
    assert until(lambda: line.standing(names[0]).doing) == "working"
    work.go.set()
    until(lambda: line.standing(names[2]).state == "done")
    assert work.done == ["a", "b", "c"]


def test_what_is_withdrawn_is_not_computed_any_more(line, work):
    names = [line.add(order) for order in "abc"]
    until(lambda: work.begun)
    line.withdraw(names[1])
    line.withdraw(names[0])
    until(lambda: "c" in work.begun)
    work.go.set()
    until(lambda: line.standing(names[2]).state == "done")
    assert work.done == ["c"]
    assert [line.standing(name).state for name in names] == ["withdrawn", "withdrawn", "done"]


def test_what_nobody_asks_for_is_not_computed(line, work, monkeypatch):
    last = [line.add(order) for order in "abc"][-1]
    until(lambda: work.begun)
    monkeypatch.setattr(lines, "FORGOTTEN_SECONDS", 0.2)
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        line.standing(last)
        time.sleep(0.01)
    work.go.set()
    until(lambda: line.standing(last).state == "done")
    assert work.done == ["a", "c"]


def test_a_line_that_was_closed_takes_nothing_and_leaves_no_thread(line, work):
    name = line.add("a")
    until(lambda: work.begun)
    line.close()
    assert line.standing(name).state == "withdrawn"
    assert work.done == []
    with pytest.raises(DataError, match="g3dr demo"):
        line.add("b")


def test_a_defect_is_told_and_does_not_end_the_line(caplog):
    def divide(order, report):
        return Result({}, {"value": 1 / order})

    line = Line(divide)
    names = [line.add(0), line.add(2)]
    until(lambda: line.standing(names[1]).state == "done")
    failed = line.standing(names[0])
    line.close()
    assert failed.error == "this photograph cannot be reconstructed (ZeroDivisionError: division by zero)"
    assert "Traceback" in caplog.text


def test_too_many_who_wait_are_a_sentence_and_old_results_go(line, work):
    names = [line.add(0)]
    until(lambda: work.begun)
    names += [line.add(order) for order in range(lines.MOST_WAITING)]
    with pytest.raises(DataError, match="are waiting already"):
        line.add("one more")
    work.go.set()
    until(lambda: line.standing(names[-1]).state == "done")
    until(lambda: len(line._entries) == lines.MOST_KEPT)
    assert line.standing(names[0]) is None
