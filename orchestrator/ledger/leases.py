"""Leases: two orchestrators on one root never compute the same run at the same time.

All that is asked of the store is a file that only one of many writers can create. A lease is therefore a chain of files,
`runs/<run>/lease/<generation>.json`, of which the newest counts. Who finds it dead creates the next one; of many who try, one succeeds. Its
holder writes its own file again from time to time, with a counter, and says so when it is done.

A lease is dead when it was released; when its process lived on this machine and does not any more; or when its file has not changed
for as long as it says, measured by the observer's own clock from the moment at which the observer saw it first. Nobody's wall clock is
believed. docs/ledger.md says what this guarantees and what not.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from g3dr.errors import G3drError
from orchestrator.ledger.lease_record import Holder, LeaseRecord, now
from orchestrator.ledger.processes import ProcessName
from orchestrator.store import Store, StoreError

LEASE_SECONDS = 60.0
_DIGITS = 8
_STALE_LOOKS = 8


class LeaseLostError(G3drError):
    """Another process has taken a run over; whoever held it before writes nothing more of it."""


def running_clock() -> float:
    """Returns seconds that also pass while the machine sleeps, where the system counts those."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def lease_folder(run: str) -> str:
    """Returns where the leases of a run lie, relative to the root."""
    return f"runs/{run}/lease"


def lease_path(run: str, generation: int) -> str:
    """Returns where a lease lies, relative to the root."""
    return f"{lease_folder(run)}/{generation:0{_DIGITS}d}.json"


def generation_of(path: str) -> int | None:
    """Returns the generation of the lease in a file; None for any other file."""
    stem, dot, ending = path.rpartition("/")[2].partition(".")
    return int(stem) if stem.isdecimal() and dot and ending == "json" else None


@dataclass(frozen=True)
class Found:
    """The newest lease of a run: its generation, its file, and what that says if it can be read."""

    generation: int
    data: bytes
    record: LeaseRecord | None


class Lease:
    """A run that this process holds; `Leases.acquire` makes it. Safe to use from several threads."""

    def __init__(self, leases: "Leases", run: str, generation: int, record: LeaseRecord) -> None:
        self._leases, self.run, self._generation, self._record, self._lock = leases, run, generation, record, Lock()

    @property
    def token(self) -> str:
        """What a worker shows to prove that it works for the holder; see `Leases.is_current`."""
        return f"{self._generation}-{self._record.word}"

    def renew(self) -> None:
        """Shows that the holder lives.

        Raises:
            LeaseLostError: Another process has taken the run over, or somebody deleted the lease.
            StoreError: The store does not answer; the lease is as it was.
        """
        with self._lock:
            if self._record.released:
                return
            generations = self._leases.generations(self.run)
            if not generations or generations[-1] != self._generation:
                raise LeaseLostError(self._leases.lost_sentence(self.run))
            self._record = replace(self._record, counter=self._record.counter + 1, renewed=now())
            self._write()

    def release(self) -> None:
        """Gives the run back: from now on, anybody may take it at once.

        Raises:
            StoreError: The store does not answer; the lease dies by itself then.
        """
        with self._lock:
            self._record = replace(self._record, counter=self._record.counter + 1, renewed=now(), released=True)
            self._write()

    def forget(self) -> None:
        """Gives the run back and deletes the lease; for runs that nobody will ask for soon.

        Raises:
            StoreError: The store does not answer.
        """
        self.release()
        self._leases.store.delete(lease_path(self.run, self._generation))

    def _write(self) -> None:
        self._leases.store.write_bytes(lease_path(self.run, self._generation), self._record.to_bytes())


class Leases:
    """Takes and judges the leases of a ledger.

    Args:
        store: The ledger's store.
        seconds: A lease of ours is dead for others when nothing of it has changed for so long; renew it at least four times as often.
        owner: Who takes them; this process.
        clock: Seconds that never go back, of this observer.
    """

    def __init__(
        self,
        store: Store,
        *,
        seconds: float = LEASE_SECONDS,
        owner: ProcessName | None = None,
        clock: Callable[[], float] = running_clock,
    ) -> None:
        self.store, self.seconds, self._owner, self._clock = store, seconds, owner, clock
        self._seen: dict[str, tuple[int, bytes, float]] = {}
        self._unsure: set[str] = set()

    def acquire(self, run: str) -> Lease | None:
        """Takes a run; None if it is held, also by this process itself.

        Raises:
            StoreError: The store does not answer.
        """
        found = self.find(run)
        if found is not None and not self._is_dead(run, found):
            return None
        before, moment = found.generation if found else 0, now()
        record = LeaseRecord(uuid.uuid4().hex, self._owner or ProcessName.current(), self.seconds, since=moment, renewed=moment)
        # If the store breaks down in the middle, nobody knows whether the file was made; if it was, it is of a lease that nobody has.
        self._unsure.add(record.word)
        made = self.store.write_if_absent(lease_path(run, before + 1), record.to_bytes())
        lease = self._confirmed(run, found, record) if made else None
        self._unsure.discard(record.word)
        return lease

    def _confirmed(self, run: str, before: Found | None, record: LeaseRecord) -> Lease | None:
        """Looks again: what was found dead may have been taken over, given back, taken and tidied away since then, or come to life."""
        mine = before.generation + 1 if before else 1
        generations = self.generations(run)
        if generations[-1:] != [mine] or (before is not None and not self._is_as_it_was(run, before)):
            self.store.delete(lease_path(run, mine))
            return None
        for generation in generations[:-1]:
            self.store.delete(lease_path(run, generation))
        self._seen.pop(run, None)
        return Lease(self, run, mine, record)

    def _is_as_it_was(self, run: str, found: Found) -> bool:
        try:
            return self.store.read_bytes(lease_path(run, found.generation)) == found.data
        except FileNotFoundError:
            return False

    def is_current(self, run: str, token: str) -> bool:
        """Tells whether the lease that `token` belongs to still counts; ask before writing anything of the run.

        Raises:
            StoreError: The store does not answer.
        """
        found = self.find(run)
        if found is None or found.record is None or found.record.released:
            return False
        return token == f"{found.generation}-{found.record.word}"

    def check(self, run: str, token: str) -> None:
        """Makes sure that the lease that `token` belongs to still counts.

        Raises:
            LeaseLostError: It does not.
            StoreError: The store does not answer.
        """
        if not self.is_current(run, token):
            raise LeaseLostError(self.lost_sentence(run))

    def holder(self, run: str) -> Holder | None:
        """Returns who holds a run; None if nobody does."""
        found = self.find(run)
        return Holder.of(found.record) if found and found.record and not found.record.released else None

    def lost_sentence(self, run: str) -> str:
        """Says who has taken a run over."""
        holder = self.holder(run)
        by = f"process {holder.pid} on {holder.host}" if holder else "somebody who has given it back since"
        return f"run {run}: taken over by {by}; nothing more of it is written here"

    def generations(self, run: str) -> list[int]:
        """Returns the generations of a run's leases, ascending."""
        found = (generation_of(path) for path in self.store.list(lease_folder(run)))
        return sorted(generation for generation in found if generation is not None)

    def find(self, run: str) -> Found | None:
        """Returns the newest lease of a run, dead or alive.

        Raises:
            StoreError: The store does not answer.
        """
        began = self._clock()
        try:
            found = self._find(run)
        except StoreError:
            self._seen.clear()
            raise
        if self._clock() - began > self.seconds / 4:
            # While the store was away nobody could renew anything, so that time counts against nobody.
            self._seen.clear()
        return found

    def _find(self, run: str) -> Found | None:
        for _ in range(_STALE_LOOKS):
            generations = self.generations(run)
            if not generations:
                return None
            try:
                data = self.store.read_bytes(lease_path(run, generations[-1]))
            except FileNotFoundError:
                continue  # superseded and deleted since it was listed
            return Found(generations[-1], data, LeaseRecord.parse(data))
        raise StoreError(f"{self.store.uri}: the lease of run {run} is listed but cannot be read")

    def _is_dead(self, run: str, found: Found) -> bool:
        if found.record is not None and (found.record.is_over or found.record.word in self._unsure):
            return True
        now_here = self._clock()
        generation, data, since = self._seen.setdefault(run, (found.generation, found.data, now_here))
        if (generation, data) != (found.generation, found.data):
            self._seen[run] = (found.generation, found.data, now_here)
            return False
        return now_here - since >= (found.record.seconds if found.record else self.seconds)
