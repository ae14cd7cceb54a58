"""Renews the leases that a process holds, in the background."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from orchestrator.ledger.leases import Lease, LeaseLostError, Leases
from orchestrator.store import StoreError

logger = logging.getLogger(__name__)
_THREADS = 8


class LeaseKeeper:
    """Takes leases and keeps them alive until they are released or the block ends.

    A store that does not answer loses nothing: the keeper goes on trying, and a lease is only lost when another process has
    taken it over, which the store itself tells.

    Args:
        leases: Where they are taken.
        every: Seconds between renewals; a quarter of the leases' time to live if not given.
    """

    def __init__(self, leases: Leases, every: float | None = None) -> None:
        self._leases, self._every = leases, leases.seconds / 4 if every is None else every
        self._held: dict[str, Lease] = {}
        self._lost: set[str] = set()
        self._lock, self._over, self._is_away = Lock(), Event(), False
        self._thread = Thread(target=self._renew_until_over, name="leases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        for run in self.held:
            self.release(run)

    def acquire(self, run: str) -> str | None:
        """Takes a run; returns the token of its lease, or None if it is held.

        Raises:
            StoreError: The store does not answer.
        """
        lease = self._leases.acquire(run)
        if lease is None:
            return None
        with self._lock:
            self._held[run] = lease
            self._lost.discard(run)
        return lease.token

    def release(self, run: str) -> None:
        """Gives a run back; one that is not held, or was lost, is none of our business any more."""
        with self._lock:
            lease = self._held.pop(run, None)
            self._lost.discard(run)
        if lease is None:
            return
        try:
            lease.release()
        except StoreError as error:
            logger.warning("run %s: its lease could not be given back and ends in %.0f s (%s)", run, self._leases.seconds, error)

    @property
    def held(self) -> frozenset[str]:
        """The runs that are held."""
        with self._lock:
            return frozenset(self._held)

    @property
    def lost(self) -> frozenset[str]:
        """Runs that were held and taken over by another process, until they are released here or taken again."""
        with self._lock:
            return frozenset(self._lost)

    def _renew_until_over(self) -> None:
        with ThreadPoolExecutor(_THREADS, "lease") as pool:
            while not self._over.wait(self._every):
                with self._lock:
                    held = list(self._held.values())
                self._note_outage(away=not all(list(pool.map(self._renew, held))))

    def _renew(self, lease: Lease) -> bool:
        """Renews a lease; returns whether the store answered."""
        try:
            lease.renew()
        except LeaseLostError as error:
            self._give_up(lease, error)
        except StoreError as error:
            logger.debug("a lease could not be renewed: %s", error)
            return False
        except Exception:  # whatever it is, the other leases must be renewed
            logger.exception("run %s: its lease could not be renewed", lease.run)
        return True

    def _give_up(self, lease: Lease, error: LeaseLostError) -> None:
        with self._lock:
            if self._held.get(lease.run) is not lease:
                return
            del self._held[lease.run]
            self._lost.add(lease.run)
        logger.warning("%s", error)

    def _note_outage(self, *, away: bool) -> None:
        """Says once that the store is away, and once that it is back."""
        if away and not self._is_away:
            logger.warning(
                "%s: leases cannot be renewed at the moment; it is tried again every %.0f s", self._leases.store.uri, self._every
            )
        if self._is_away and not away:
            logger.info("%s: leases are renewed again", self._leases.store.uri)
        self._is_away = away
