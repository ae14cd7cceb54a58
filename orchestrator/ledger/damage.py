"""Files that were found damaged: said once, loudly, and written down for whoever looks later."""

import json
import logging
from dataclasses import asdict, dataclass

from orchestrator.ledger.lease_record import now
from orchestrator.ledger.reading import read_all
from orchestrator.ledger.records import to_json
from orchestrator.store import Store, StoreError

logger = logging.getLogger(__name__)
_TOLD: set[tuple[str, str, str]] = set()  # of this process


@dataclass(frozen=True)
class Damage:
    """A file that could not be used.

    Attributes:
        path: The file or the checkpoint's folder, relative to the root.
        problem: One sentence: what is wrong with it.
        time: When it was found, by the clock of whoever found it.
    """

    path: str
    problem: str
    time: str


def note(store: Store, run: str, path: str, problem: str) -> None:
    """Warns of a damaged file of a run and records it, once each; a store that cannot be written to does not matter."""
    key = (store.uri, path, problem)
    if key in _TOLD:
        return
    _TOLD.add(key)
    logger.warning("skipped what is damaged: %s", problem)
    name = path.removeprefix(f"runs/{run}/").replace("/", "-")
    try:
        store.write_if_absent(f"runs/{run}/damage/{name}.json", to_json(asdict(Damage(path, problem, now()))))
    except StoreError as error:
        logger.warning("%s: what is damaged could not be recorded (%s)", path, error)


def of_run(store: Store, run: str) -> list[Damage]:
    """Returns what was found damaged of a run, the oldest first."""
    found = read_all(store, store.list(f"runs/{run}/damage"), lambda path: _read(store, path))
    return sorted((damage for damage in found.values() if damage), key=lambda damage: (damage.time, damage.path))


def _read(store: Store, path: str) -> Damage | None:
    try:
        record = json.loads(store.read_bytes(path))
        return Damage(str(record["path"]), str(record["problem"]), str(record["time"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
