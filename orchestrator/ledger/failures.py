"""Why attempts at a run ended: `runs/<run>/failures/<attempt>.json`."""

import json
from dataclasses import asdict, replace
from typing import get_args

from orchestrator.ledger.lease_record import now
from orchestrator.ledger.reading import read_all
from orchestrator.ledger.records import Failure, FailureKind, to_json
from orchestrator.store import Store


def write(store: Store, run: str, failure: Failure) -> None:
    """Records a failure, with the time."""
    store.write_bytes(f"runs/{run}/failures/{failure.attempt:04d}.json", to_json(asdict(replace(failure, time=now()))))


def read(store: Store, run: str) -> list[Failure]:
    """Returns the failures of a run, the oldest first."""
    found = read_all(store, store.list(f"runs/{run}/failures"), lambda path: _read(store, path))
    return [failure for failure in found.values() if failure is not None]


def _read(store: Store, path: str) -> Failure | None:
    try:
        record = json.loads(store.read_bytes(path))
        if record["kind"] not in get_args(FailureKind):
            return None
        return Failure(record["kind"], str(record["sentence"]), tuple(record["keys"]), int(record["attempt"]), str(record["time"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
