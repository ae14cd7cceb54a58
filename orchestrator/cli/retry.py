"""`g3dr retry`: lets failed and cancelled runs be computed again."""

from typing import Annotated

import typer

from orchestrator.cli.options import WhereRoot
from orchestrator.finding import NamedRun, experiments, find_run, runs_of
from orchestrator.ledger import Ledger
from orchestrator.running.control import Control
from orchestrator.store import Store, open_store


def retry(
    name: Annotated[str, typer.Argument(help="An experiment, the beginning of a run's id, or EXPERIMENT/STAGE/LABEL.")],
    root: WhereRoot = "results",
) -> None:
    """Take back that runs failed or were cancelled: they go on from their last checkpoint when the experiment is run again.

    Example: g3dr retry quickstart
    """
    store = open_store(root)
    store.check()
    control, taken_back = Control(store), 0
    for named in _meant(store, name):
        if control.request_retry(named.run):
            taken_back += 1
            print(f"run {named.run}" + (f" ({named.stage}/{named.label})" if named.label else "") + ": may be computed again")
    if taken_back:
        print(f"{taken_back} {'run' if taken_back == 1 else 'runs'} will go on from the last checkpoint\nnext: run the experiment again")
    else:
        print(f"nothing of {name} has failed or was cancelled\nnext: g3dr status --root {store.uri}")


def _meant(store: Store, name: str) -> list[NamedRun]:
    """Returns the run, or the runs of an experiment that failed, were cancelled, or are to stop; each once."""
    if name not in experiments(store):
        return [find_run(store, name)]
    known = {named.run: named for named in runs_of(store, name)}
    asked = Control(store).requests().runs
    statuses = Ledger(store).statuses(known)
    return [named for run, named in known.items() if run in asked or (run in statuses and statuses[run].state in ("failed", "cancelled"))]
