"""What runs took: measured by their workers, kept in the ledger, read by plans.

    timings/<family>/<work>-<machine>-<what was done>-<slot>.json

Sixteen slots for each kind of work on each kind of machine, chosen by the run's id: the folder does not grow with
the number of runs, writers need not agree, and a newer measurement replaces an older one.
"""

import json
import statistics
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass

from orchestrator.content_ids import content_id
from orchestrator.ledger.reading import read_all
from orchestrator.planning.machines import machine_kind
from orchestrator.planning.work import Work, work_of
from orchestrator.runs import RunRequest
from orchestrator.store import Store, StoreError

FOLDER = "timings"
SLOTS = 16
_MOST_READ = 256


@dataclass(frozen=True)
class Timing:
    """What one run took on one machine.

    Attributes:
        machine: Kind of the machine (`machines.machine_kind`).
        work: Id of the work, see `Work`.
        family: Its family.
        size: Its size, pixels of a worker in a step.
        images: Images that it was measured on afterwards.
        seconds_per_step: Median over the logged windows; 0 for a run without steps.
        overhead_seconds: All else that the worker did for the run: reading data, building the model, checkpoints, the measurement.
    """

    machine: str
    work: str
    family: str
    size: float
    images: int
    seconds_per_step: float
    overhead_seconds: float


class RunTimer:
    """Times one attempt at a run in its worker; begins when it is made.

    Args:
        request: The run.
    """

    def __init__(self, request: RunRequest) -> None:
        self._request, self._began = request, time.perf_counter()
        self._seconds, self._paces = 0.0, list[float]()

    def add(self, steps: int, seconds: float) -> None:
        """Counts a window of steps.

        Args:
            steps: How many.
            seconds: What they took together.
        """
        self._seconds += seconds
        self._paces.append(seconds / max(1, steps))

    def write(self, store: Store, *, measured: bool) -> None:
        """Keeps what the run took, if it took anything; for the worker of rank 0, at the end. A store that is away fails no run.

        Args:
            store: The root of the ledger.
            measured: Whether this attempt measured the run, and not only found its measurement.
        """
        if not self._paces and not measured:
            return
        pace = statistics.median(self._paces) if self._paces else 0.0
        overhead = time.perf_counter() - self._began - self._seconds
        with suppress(StoreError):
            write_timing(store, self._request, machine_kind(self._request.gpus_per_worker), pace, overhead)


def write_timing(store: Store, request: RunRequest, machine: str, seconds_per_step: float, overhead_seconds: float) -> None:
    """Keeps what a run took on a kind of machine; see `Timing`."""
    work = work_of(request)
    timing = Timing(machine, work.id, work.family, work.size, work.images, seconds_per_step, overhead_seconds)
    slot = int(request.spec.id, 16) % SLOTS
    did = f"{'trained' if seconds_per_step else 'only'}-measured-{work.images}"  # a measurement alone must not replace a training
    path = f"{FOLDER}/{work.family}/{work.id}-{content_id(machine)}-{did}-{slot:02d}.json"
    store.write_bytes(path, json.dumps(asdict(timing), indent=1, sort_keys=True).encode())


def read_timings(store: Store, works: Iterable[Work]) -> list[Timing]:
    """Returns what was measured of these works and of others of their families; one listing, then a bounded number of small files."""
    works = list(works)
    families, ids = {work.family for work in works}, {work.id for work in works}
    found = [path for path in store.list(FOLDER) if path.split("/")[1] in families] if families else []
    exact_first = sorted(found, key=lambda path: path.rpartition("/")[2].split("-")[0] not in ids)
    read = read_all(store, exact_first[:_MOST_READ], lambda path: _read(store, path))
    return [timing for timing in read.values() if timing is not None]


def _read(store: Store, path: str) -> Timing | None:
    """A file that is gone or of another version counts as no measurement."""
    try:
        return Timing(**json.loads(store.read_bytes(path)))
    except (FileNotFoundError, ValueError, TypeError):
        return None
