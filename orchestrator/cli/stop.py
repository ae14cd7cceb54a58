"""`g3dr stop`: ends an experiment or one run that is computed elsewhere."""

from typing import Annotated

import typer

from orchestrator.cli.options import WhereRoot
from orchestrator.finding import check_experiment, find_runs
from orchestrator.ledger import Ledger
from orchestrator.running.control import Control
from orchestrator.running.live import read_live
from orchestrator.store import Store, open_store

_OVER = ("finished", "stopped", "cancelled")


def stop(
    experiment: Annotated[str, typer.Argument(help="Name of the experiment.")],
    run: Annotated[str | None, typer.Argument(help="Stop this run only: its id, LABEL or STAGE/LABEL; a STAGE means all its runs.")] = None,
    root: WhereRoot = "results",
) -> None:
    """Stop an experiment that runs, in another terminal or on another machine; or one run of it.

    Runs end at their next report, and keep their checkpoints. A stopped experiment goes on when it is run again. A run that was stopped
    by itself is cancelled: it is left out until g3dr retry takes that back.

    Example: g3dr stop quickstart
    """
    store = open_store(root)
    store.check()
    check_experiment(store, experiment)
    if run is None:
        _stop_experiment(store, experiment)
    else:
        _stop_runs(store, experiment, run)


def _stop_experiment(store: Store, experiment: str) -> None:
    running = [live for live in read_live(store, experiment) if live.is_running]
    if not running:
        print(f"nobody computes {experiment} at the moment, as far as {store.uri} tells; nothing to stop")
        print(f"next: g3dr status {experiment} --root {store.uri}")
        return
    Control(store).request_stop_experiment(experiment)
    where = ", ".join(f"{live.host} (process {live.pid})" for live in running)
    print(f"asked to stop {experiment} on {where}; runs end at their next report and keep their checkpoints")
    print(f"next: g3dr status {experiment} --follow --root {store.uri}; run the experiment again to go on")


def _stop_runs(store: Store, experiment: str, name: str) -> None:
    found, control = find_runs(store, experiment, name), Control(store)
    statuses = Ledger(store).statuses({named.run for named in found})
    asked = []
    for named in found:
        label = f"run {named.run}" + (f" ({named.stage}/{named.label})" if named.label else "")
        if named.run in statuses and statuses[named.run].state in _OVER:
            print(f"{label} is {statuses[named.run].state} already")
        else:
            control.request_stop_run(named.run)
            asked.append(named.run)
            print(f"asked to stop {label}")
    if not asked:
        print(f"next: g3dr status {experiment} --root {store.uri}")
        return
    again = asked[0] if len(asked) == 1 else experiment
    print(f"next: g3dr retry {again} --root {store.uri} takes that back")
