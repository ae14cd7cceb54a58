"""What a person asks of a running experiment from another terminal: stop it, stop one run, try one again.

    control/experiments/<name>/<word>.json     stop this experiment: end its runs at their next report, start no more
    control/runs/<run>.json                    stop this run, for every experiment that asks for it

A request is a file, so that it works across machines and needs no open port. All requests lie in one small folder: whoever computes
asks for them with one listing, however many runs there are. A request to stop an experiment is meant for those who compute it at that
moment: who begins later does not obey it, so a forgotten request stops nothing tomorrow. A request to stop a run holds until it is
taken back.
"""

import getpass
import json
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.ledger import Ledger
from orchestrator.ledger.records import read_json
from orchestrator.store import Store

EXPERIMENTS, RUNS = "control/experiments", "control/runs"
RETRIED = ("failed", "cancelled")
"""States of which a run is taken back by `request_retry`."""


@dataclass(frozen=True)
class Requests:
    """What is asked for at a moment.

    Attributes:
        experiments: Names of the requests to stop each experiment.
        runs: Ids of the runs that are to stop.
    """

    experiments: Mapping[str, frozenset[str]] = field(default_factory=dict)
    runs: frozenset[str] = frozenset()


class Control:
    """Writes requests, and tells who computes what is asked of them.

    Args:
        store: The root of the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._old: dict[str, frozenset[str]] = {}

    # for people

    def request_stop_experiment(self, experiment: str) -> None:
        """Asks everybody who computes `experiment` at this moment to stop; what they did is kept and can be continued."""
        self._write(f"{EXPERIMENTS}/{experiment}/{secrets.token_hex(6)}.json")

    def request_stop_run(self, run: str) -> None:
        """Asks for the end of a run; it becomes `cancelled`, and is not computed again before `request_retry`."""
        self._write(f"{RUNS}/{run}.json")

    def request_retry(self, run: str) -> bool:
        """Takes back that a run failed or was cancelled: it counts as interrupted, and goes on from its checkpoint when it is asked for.

        Returns:
            Whether there was anything to take back.
        """
        asked = self._store.exists(f"{RUNS}/{run}.json")
        self.clear_run(run)
        ledger = Ledger(self._store)
        status = ledger.status(run)
        if status is None or status.state not in RETRIED:
            return asked
        ledger.set_status(run, replace(status, state="running", error=None, attempts=0))
        return True

    def times_of_stops(self, experiment: str) -> list[float]:
        """Returns when requests to stop `experiment` were made, seconds since 1970 by the clocks of those who made them."""
        records = [read_json(self._store, path) for path in self._store.list(f"{EXPERIMENTS}/{experiment}")]
        return [float(record["time"]) for record in records if record]

    # for those who compute

    def begin(self, experiment: str) -> None:
        """Marks the start of computing: requests to stop `experiment` that were made before are not obeyed."""
        self._old[experiment] = self.requests().experiments.get(experiment, frozenset())

    def requests(self) -> Requests:
        """Returns all requests; one listing."""
        experiments, runs = dict[str, frozenset[str]](), set[str]()
        for path in self._store.list("control"):
            parts = path.removesuffix(".json").split("/")
            if path.startswith(f"{RUNS}/"):
                runs.add(parts[-1])
            elif path.startswith(f"{EXPERIMENTS}/") and len(parts) == 4:
                experiments[parts[2]] = experiments.get(parts[2], frozenset()) | {parts[3]}
        return Requests(experiments, frozenset(runs))

    def stop_requested(self, experiment: str, requests: Requests | None = None) -> bool:
        """Tells whether somebody asked to stop `experiment` since `begin`.

        Args:
            experiment: Its name.
            requests: What `requests` returned, if it was just asked for.
        """
        return bool((requests or self.requests()).experiments.get(experiment, frozenset()) - self._old.get(experiment, frozenset()))

    def stopped_runs(self, runs: Iterable[str], requests: Requests | None = None) -> set[str]:
        """Returns those of `runs` that somebody asked to stop.

        Args:
            runs: Ids.
            requests: What `requests` returned, if it was just asked for.
        """
        return set(runs) & (requests or self.requests()).runs

    def clear(self, experiment: str) -> None:
        """Forgets the requests to stop `experiment`; for who has run it to its end."""
        self._store.delete(f"{EXPERIMENTS}/{experiment}")

    def clear_run(self, run: str) -> None:
        """Forgets that a run should stop; for who has recorded it as cancelled."""
        self._store.delete(f"{RUNS}/{run}.json")

    def _write(self, path: str) -> None:
        record = {"by": _person(), "host": socket.gethostname(), "time": time.time()}
        self._store.write_bytes(path, json.dumps(record, indent=1).encode())


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
