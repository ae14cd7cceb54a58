"""The queue between the ledger and Ray Tune. Marked `ray` because it imports Ray; it starts none."""

import json
from dataclasses import dataclass, field

import pytest
from experiment_document import DOCUMENT

from orchestrator.executors.listed import ListedRuns
from orchestrator.executors.queue import RunQueue
from orchestrator.experiment.failure_spec import FailureSpec
from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.ledger import RunStatus
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Knowledge, Outcome
from orchestrator.running.retrying import Mishap
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest

pytestmark = pytest.mark.ray

CRASH, PREEMPTION = Mishap("crash", "its process died"), Mishap("preemption", "its machine vanished")
POLICY = FailureSpec(retries=2, backoff_seconds=10.0)


def requests(count: int) -> list[RunRequest]:
    document = {**DOCUMENT, "stages": DOCUMENT["stages"][:1]}
    experiment = check_document(apply_settings(document, (f"stages.pretrain.seeds={list(range(count))}",)), "x.yaml")
    return expand_stage(experiment, experiment.stages[0], Knowledge({"animals": DatasetInfo("uri", "version", ("a",))}))


@dataclass
class World:
    """A ledger in memory that several orchestrators share."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    holders: dict[str, "MemoryDesk"] = field(default_factory=dict)
    mishaps: list[tuple[str, str, bool]] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    has_stopped: bool = False
    now: float = 0.0

    def finish(self, request: RunRequest, state: str = "finished") -> None:
        self.outcomes[request.spec.id] = Outcome(state)


class MemoryDesk:
    """One orchestrator's view of the world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def outcome(self, request):
        return self.world.outcomes.get(request.spec.id)

    def status(self, run):
        outcome = self.world.outcomes.get(run)
        return RunStatus(outcome.state if outcome else "running")

    def claim(self, run):
        holder = self.world.holders.setdefault(run, self)
        return "token" if holder is self else None

    def holds(self, run):
        return self.world.holders.get(run) is self

    def release(self, run):
        if self.holds(run):
            del self.world.holders[run]

    def note_mishap(self, request, mishap, *, final):
        self.world.mishaps.append((request.label, mishap.kind, final))
        if final:
            self.world.finish(request, "failed")

    def stops(self):
        return self.world.has_stopped

    def is_cancelled(self, run):
        return run in self.world.cancelled

    def cancel(self, request):
        self.world.finish(request, "cancelled")


class Ends(Watch):
    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    def run_ended(self, label, state, error):
        self.ended.append((label, state))


def make_queue(world: World, runs: list[RunRequest], policy=POLICY, watch: Watch | None = None, limit=1000) -> RunQueue:
    queue = RunQueue(ListedRuns(runs), MemoryDesk(world), policy, watch, clock=lambda: world.now)
    queue.open(limit)
    return queue


def label(suggestion) -> str | None:
    return json.loads(suggestion["request"])["label"] if isinstance(suggestion, dict) else suggestion


def drain(queue: RunQueue, world: World, prefix: str = "") -> list[str]:
    """Finishes trial after trial, as one Tuner would; returns the labels."""
    done = []
    for number in range(1000):
        suggestion = queue.suggest(f"{prefix}{number}")
        if not isinstance(suggestion, dict):
            return done
        request = RunRequest.from_json(json.loads(suggestion["request"]))
        world.finish(request)
        queue.on_trial_complete(f"{prefix}{number}", {})
        done.append(request.label)
    raise AssertionError("the queue never ends")


def test_hands_out_what_is_missing_in_order_and_once() -> None:
    world, runs = World(), requests(5)
    world.finish(runs[1])
    world.finish(runs[3], "failed")  # of an earlier call: tried again when asked for again
    queue = make_queue(world, [*runs, runs[0]], watch=(ends := Ends()))
    assert drain(queue, world) == [runs[index].label for index in (0, 2, 3, 4)]
    assert queue.is_over
    assert queue.suggest("z") == RunQueue.FINISHED
    assert world.holders == {}
    assert ends.ended == [(runs[index].label, "finished") for index in (0, 2, 3, 4)]


def test_a_crash_is_tried_again_after_pauses_that_double_and_then_given_up() -> None:
    world, (run, other) = World(), requests(2)
    queue, pauses = make_queue(world, [run, other]), []
    for attempt in range(3):
        while not queue.open(1000):
            world.now += 1.0
        suggestion = queue.suggest(f"{attempt}")
        pauses.append(world.now)
        assert (label(suggestion), suggestion["attempt"]) == (run.label, attempt)
        queue.failed(f"{attempt}", CRASH)
        queue.on_trial_complete(f"{attempt}", error=True)
        if attempt == 0:
            assert drain(queue, world, "other") == [other.label]  # nobody waits for the pause
    assert pauses == [0.0, 10.0, 30.0]
    assert world.mishaps == [(run.label, "crash", False), (run.label, "crash", False), (run.label, "crash", True)]
    assert queue.is_over
    assert world.holders == {}


def test_vanished_machines_are_counted_apart_and_never_give_a_run_up() -> None:
    world, (run,) = World(), requests(1)
    queue = make_queue(world, [run])
    for attempt in range(20):
        while not queue.open(1000):
            world.now += 10.0
        queue.suggest(f"{attempt}")
        queue.failed(f"{attempt}", PREEMPTION)
        queue.on_trial_complete(f"{attempt}", error=True)
    assert {final for _, _, final in world.mishaps} == {False}
    world.now += 1000.0
    assert drain(queue, world, "last") == [run.label]


@pytest.mark.parametrize("kind", ["out_of_memory", "unplaced"])
def test_what_would_end_the_same_way_is_not_tried_again(kind) -> None:
    world, runs = World(), requests(2)
    queue = make_queue(world, runs)
    queue.suggest("a")
    queue.failed("a", Mishap(kind, "no"))
    queue.on_trial_complete("a", error=True)
    assert drain(queue, world, "b") == [runs[1].label]
    assert world.mishaps == [(runs[0].label, kind, True)]


def test_a_trial_that_ends_without_a_result_counts_as_crashed() -> None:
    world, (run,) = World(), requests(1)
    queue = make_queue(world, [run])
    queue.suggest("a")
    queue.on_trial_complete("a", {})
    assert world.mishaps == [(run.label, "crash", False)]
    world.now += 10.0
    assert drain(queue, world, "b") == [run.label]


def test_two_orchestrators_share_the_work_and_both_see_it_all() -> None:
    world, runs = World(), requests(6)
    first, second = make_queue(world, runs), make_queue(world, runs)
    handed = {"a": first.suggest("a"), "b": second.suggest("b"), "c": first.suggest("c"), "d": second.suggest("d")}
    assert [label(suggestion) for suggestion in handed.values()] == [run.label for run in runs[:4]]
    for queue, trials in ((first, "ac"), (second, "bd")):
        for trial in trials:
            world.finish(RunRequest.from_json(json.loads(handed[trial]["request"])))
            queue.on_trial_complete(trial, {})
    assert drain(first, world, "x") == [run.label for run in runs[4:]]
    world.now += 5.0
    assert drain(second, world, "y") == []
    assert first.is_over
    assert second.is_over


def test_what_another_orchestrator_leaves_behind_is_taken_over() -> None:
    world, (run,) = World(), requests(1)
    first, second = make_queue(world, [run]), make_queue(world, [run])
    first.suggest("a")
    assert second.suggest("b") == RunQueue.FINISHED  # a Tuner that waits would hold what the first may need
    assert not second.open(1000)
    assert second.waits_for_others == [run]
    assert not second.is_over
    del world.holders[run.spec.id]  # the first is killed, and its lease dies
    world.now += 5.0
    assert second.open(1000)
    assert label(second.suggest("c")) == run.label


def test_a_run_that_was_taken_over_is_waited_for() -> None:
    world, (run,) = World(), requests(1)
    queue = make_queue(world, [run])
    queue.suggest("a")
    world.holders[run.spec.id] = MemoryDesk(world)  # this machine slept for too long
    queue.on_trial_complete("a", {})
    assert queue.waits_for_others == [run]
    assert world.mishaps == []
    world.finish(run)
    world.now += 5.0
    assert queue.suggest("b") == RunQueue.FINISHED
    assert queue.is_over


def test_a_tuner_ends_after_its_share_and_the_next_goes_on() -> None:
    world, runs = World(), requests(5)
    queue = make_queue(world, runs, limit=2)
    assert drain(queue, world, "a") == [run.label for run in runs[:2]]
    assert queue.suggest("b") == RunQueue.FINISHED
    assert not queue.is_over
    queue.open(2)
    assert drain(queue, world, "c") == [run.label for run in runs[2:4]]


def test_nothing_begins_after_a_stop_and_cancelled_runs_are_left_out() -> None:
    world, runs = World(), requests(4)
    world.cancelled.add(runs[1].spec.id)
    queue = make_queue(world, runs)
    assert [label(queue.suggest("a")), label(queue.suggest("b"))] == [runs[0].label, runs[2].label]
    world.has_stopped = True
    assert queue.suggest("c") == RunQueue.FINISHED
    queue.close()  # Tune ends all trials and tells nobody
    assert queue.is_over
    assert (world.mishaps, world.holders) == ([], {})


@pytest.mark.parametrize(("fail_fast", "later"), [(True, []), (False, ["two"])])
def test_a_failed_run_stops_the_others_only_if_asked(fail_fast, later) -> None:
    world, runs = World(), requests(2)
    queue = make_queue(world, runs, FailureSpec(retries=0, fail_fast=fail_fast))
    queue.suggest("a")
    queue.failed("a", CRASH)
    queue.on_trial_complete("a", error=True)
    assert drain(queue, world, "b") == ([runs[1].label] if later else [])
    assert queue.is_over
    assert queue.stops is fail_fast


def test_input_errors_that_the_worker_reports_are_final() -> None:
    world, runs = World(), requests(2)
    queue = make_queue(world, runs, watch=(ends := Ends()))
    queue.suggest("a")
    world.finish(runs[0], "failed")
    queue.on_trial_complete("a", {})
    assert drain(queue, world, "b") == [runs[1].label]
    assert ends.ended[0] == (runs[0].label, "failed")
