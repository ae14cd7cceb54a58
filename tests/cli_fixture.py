"""A small ledger, and the command line on it, for tests of the verbs that look at and steer what others compute."""

import time

from ledger_fixture import JsonStore
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.store import Store, open_store


def write_small(folder) -> Store:
    """Writes a ledger with one stage of three runs, of which one failed."""
    store, runs = JsonStore(folder), {"aaaa": "finished", "aabb": "failed", "cccc": "running"}
    ledger = Ledger(store)
    store.write_json("experiments/small/experiment.json", {"name": "small", "stages": [{"name": "losses", "kind": "sweep"}]})
    entries = []
    for number, (start, state) in enumerate(runs.items()):
        run = start.ljust(16, "0")
        ledger.set_status(run, RunStatus(state, step=10 * number, error="no room" if state == "failed" else None))
        entries.append({"run": run, "label": f"rate={number}", "state": state, "evaluation": None})
    store.write_json(
        "experiments/small/stages/losses.json", {"name": "losses", "runs": entries, "best": None, "metric": None, "seconds": 3}
    )
    return open_store(str(folder))


def g3dr(*words, code=0) -> str:
    """Runs a verb; returns what it printed, with single spaces."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def wait_for(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
