"""What is read from Ray's errors. Marked `ray` because it imports Ray; only the last test starts processes."""

import pytest
from ray import exceptions
from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError

from orchestrator.executors.failures import classify
from orchestrator.executors.places import PlacementError
from orchestrator.experiment.failure_spec import FailureSpec
from orchestrator.running.retrying import Attempts, Mishap, retry_delay

pytestmark = pytest.mark.ray

SIGKILLED = (
    "The actor died unexpectedly before finishing this task.\n"
    "Worker unexpectedly exits with a connection error code 2. End of file. There are some potential root causes. "
    "(1) The process is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called."
)
NODE_GONE = "The actor died because its node has died. Node Id: abc\n\tthe actor's node was terminated unexpectedly: health check failed"


class WorkersFailedError(Exception):
    """As Ray Train's `WorkerGroupError`."""

    def __init__(self, failures):
        super().__init__("Training failed due to worker errors")
        self.worker_failures = failures


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.RayActorError(error_msg=SIGKILLED), "crash"),
        (exceptions.RayActorError(error_msg=NODE_GONE), "preemption"),
        (exceptions.RayActorError(error_msg="gone", preempted=True), "preemption"),
        (exceptions.NodeDiedError("n"), "preemption"),
        (exceptions.OutOfMemoryError("Task was killed due to the node running low on memory."), "out_of_memory"),
        (WorkersFailedError({1: exceptions.RayActorError(error_msg=NODE_GONE)}), "preemption"),
        (WorkersFailedError({0: exceptions.RayActorError(error_msg=SIGKILLED)}), "crash"),
        (WorkersFailedError({0: ZeroDivisionError("division by zero")}), "crash"),
        (ValueError("anything else"), "crash"),
        (PlacementError("found no place in 5 s: it needs 2 GPUs"), "unplaced"),
        (WorkerGroupStartupTimeoutError(2), "preemption"),
    ],
)
def test_kinds(error, kind) -> None:
    assert classify(error).kind == kind


def test_the_sentence_names_the_innermost_error() -> None:
    sentence = classify(WorkersFailedError({0: ZeroDivisionError("division by zero")})).sentence
    assert sentence == "its process died (ZeroDivisionError: division by zero)"


def test_pauses_double_up_to_five_minutes() -> None:
    policy = FailureSpec(retries=20, backoff_seconds=2.0)
    pauses = [retry_delay(Attempts(crashes=count), Mishap("crash", ""), policy) for count in (1, 2, 3, 8, 20, 21)]
    assert pauses == [2.0, 4.0, 8.0, 256.0, 300.0, None]


def test_limits_of_crashes_and_lost_machines_are_apart() -> None:
    policy = FailureSpec(retries=1, preemptions=3)
    attempts = Attempts()
    for kind in ("preemption", "crash", "preemption"):
        attempts = attempts.after(Mishap(kind, ""), 0, policy.retries)
    assert (attempts.crashes, attempts.preemptions, attempts.total) == (1, 2, 3)
    assert retry_delay(attempts, Mishap("preemption", ""), policy) is not None
    assert retry_delay(attempts.after(Mishap("crash", ""), 0, policy.retries), Mishap("crash", ""), policy) is None


def test_crashes_are_counted_anew_once_a_run_came_further() -> None:
    crash, exhausted = Mishap("crash", ""), Mishap("crash", "", is_exhausted=True)
    attempts = Attempts()
    for step in (100, 100, 100):
        attempts = attempts.after(crash, step, 3)
    assert (attempts.crashes, attempts.total) == (3, 3)
    assert attempts.after(crash, 200, 3).crashes == 1
    assert attempts.after(exhausted, 200, 3).crashes == 1
    assert retry_delay(attempts.after(exhausted, 100, 3), exhausted, FailureSpec(retries=3)) is None


def test_the_words_are_those_that_ray_really_uses(ray_session) -> None:
    """A process that is killed is a crash, though Ray's words speak of the OOM killer."""
    ray = ray_session

    @ray.remote(num_cpus=0, max_restarts=0)
    class Victim:
        def die(self):
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(exceptions.RayActorError) as caught:
        ray.get(Victim.remote().die.remote())
    assert "OOM" in str(caught.value)
    assert classify(caught.value).kind == "crash"
