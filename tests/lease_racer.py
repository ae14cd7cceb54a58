"""One of several processes that race for the same runs; started by tests/test_ledger_race.py.

python lease_racer.py URI RUNS LOG MOST

Once there is a file `go` beside its log, it takes every run that is not done, holds it for some milliseconds, marks it done and gives it
back, until all are done or it has computed MOST of them. Each moment at which it began and ended to hold a run is written to its own log,
in nanoseconds of the machine's monotonic clock.
"""

import os
import sys
import time
import zlib
from functools import partial
from itertools import count
from pathlib import Path

from orchestrator.ledger import Leases
from orchestrator.store import open_store


def shuffled(lap: int, run: str) -> float:
    """Returns a number from 0 to 1 that differs from process to process and from lap to lap."""
    return zlib.crc32(f"{run} {lap} {os.getpid()}".encode()) / 2**32


def main(uri: str, runs: int, path: str, most: int) -> None:
    store, log = open_store(uri), os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    leases, laps = Leases(store, seconds=30), count()
    missing = {f"run{number:02d}" for number in range(runs)}

    def write(word: str, run: str) -> None:
        os.write(log, f"{word} {run} {time.monotonic_ns()}\n".encode())

    write("ready", "-")
    while not Path(path).with_name("go").exists():
        time.sleep(0.001)
    computed = 0
    while missing:
        for run in sorted(missing, key=partial(shuffled, next(laps))):
            if computed == most:
                return
            if store.exists(f"done/{run}"):
                missing.discard(run)
                continue
            lease = leases.acquire(run)
            if lease is None:
                time.sleep(0.01)  # another one holds it and needs the machine
                continue
            write("held", run)
            if not store.exists(f"done/{run}"):
                time.sleep(0.01 * shuffled(0, run))
                assert leases.is_current(run, lease.token)
                write("computed", run)
                store.write_bytes(f"done/{run}", b"")
                computed += 1
            write("gave", run)
            lease.release()
            missing.discard(run)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
