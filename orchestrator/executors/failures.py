"""Reads from Ray's errors why a run's process ended."""

import pickle
from collections.abc import Iterator
from pathlib import Path

from ray import exceptions
from ray.tune.experiment import Trial

from orchestrator.executors.places import PlacementError
from orchestrator.running.retrying import Mishap

_LOST_MACHINES = (exceptions.NodeDiedError, exceptions.LocalRayletDiedError, exceptions.ActorPlacementGroupRemoved)
# Ray Train's own, which it exports nowhere: machines that were there when it asked have gone.
_NO_ROOM = ("WorkerGroupStartupTimeoutError", "InsufficientClusterResourcesError", "WorkerGroupStartupFailedError")
# Ray says "OOM killer" of every process that was killed, as one of several possible reasons: that alone means nothing.
_OUT_OF_MEMORY_WORDS = ("NODE_OUT_OF_MEMORY", "running low on memory")
_LOST_MACHINE_WORDS = ("its node has died", "node was terminated", "node is dead", "the node died")


def mishap_of(trial: Trial) -> Mishap:
    """Returns what Tune knows about the end of a trial."""
    error = _exception(trial)
    if error is None:
        return Mishap("crash", f"its process died ({_last_line(str(trial.get_error() or 'no reason is known'))})")
    return classify(error)


def classify(error: BaseException) -> Mishap:
    """Tells a lost machine from a crash and from a process that was killed for its memory.

    Args:
        error: What Ray raised; errors that it wraps are looked at as well.
    """
    chain = list(_chain(error))
    text = " ".join(str(link) for link in chain)
    innermost = _last_line(str(chain[-1]))
    if any(isinstance(link, exceptions.OutOfMemoryError) for link in chain) or any(words in text for words in _OUT_OF_MEMORY_WORDS):
        return Mishap("out_of_memory", f"its process was killed because the machine ran out of memory ({innermost}); {MEMORY_HINT}")
    unplaced = next((link for link in chain if isinstance(link, PlacementError)), None)
    if unplaced is not None:
        return Mishap("unplaced", str(unplaced))
    if any(type(link).__name__ in _NO_ROOM for link in chain):
        return Mishap("preemption", f"its workers found no place ({innermost})")
    preempted = any(isinstance(link, _LOST_MACHINES) or getattr(link, "preempted", False) for link in chain)
    if preempted or any(words in text for words in _LOST_MACHINE_WORDS):
        return Mishap("preemption", f"its machine vanished ({innermost})")
    is_exhausted = any(getattr(link, "worker_failures", None) for link in chain)
    return Mishap("crash", f"its process died ({type(chain[-1]).__name__}: {innermost})", is_exhausted)


MEMORY_HINT = "set training.accumulation higher or training.activation_checkpointing on, which change no result, or ask for more"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what it wraps, the innermost last."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = _wrapped(link)


def _wrapped(error: BaseException) -> BaseException | None:
    workers = getattr(error, "worker_failures", None)
    if workers:
        return next(iter(workers.values()))  # type: ignore[no-any-return]
    for name in ("controller_failure", "health_check_failure", "cause", "_base_exc", "__cause__"):
        inner = getattr(error, name, None)
        if isinstance(inner, BaseException):
            return inner
    return None


def _exception(trial: Trial) -> BaseException | None:
    """Reads the exception that Tune keeps in the trial's folder on this machine; this process wrote it."""
    file = Path(trial.local_path or "", "error.pkl")
    try:
        found = pickle.loads(file.read_bytes())  # noqa: S301  (written by Tune in this process, below a temporary folder)
    except Exception:  # whatever cannot be read leaves the text
        return None
    return found if isinstance(found, BaseException) else None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason is known"
