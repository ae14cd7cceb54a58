"""`g3dr status`: how experiments stand, from any terminal and any machine."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from orchestrator.cli.consoles import console
from orchestrator.cli.live_table import draw
from orchestrator.cli.options import WhereRoot
from orchestrator.cli.progress import time_left
from orchestrator.cli.watching import plain_line
from orchestrator.running.judging import STATES
from orchestrator.running.live import Live as Orchestrator
from orchestrator.running.overview import Overview, RunOverview, StageOverview, overview, overviews
from orchestrator.store import Store, open_store

_FOLLOW_SECONDS = 2.0
_PLAIN_SECONDS = 10.0
_MOST_ERRORS = 10
_MOST_RUNS = 20


def status(
    experiment: Annotated[str | None, typer.Argument(help="Name of an experiment; all of them if it is not given.")] = None,
    root: WhereRoot = "results",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it is over; Ctrl-C only ends the looking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show how experiments stand: stages, runs by state, what runs now and where, the best so far, errors and damage.

    Reads the store only, so it works in another terminal and on another machine, while an experiment runs and after it.

    Example: g3dr status quickstart --follow
    """
    store, out = open_store(root), console()
    store.check()
    if experiment is None:
        _show_all(store, out, as_json=as_json)
    elif follow and not as_json:
        _follow(store, experiment, out)
    else:
        found = overview(store, experiment)
        if as_json:
            print(json.dumps(found.to_json(), indent=1))
        else:
            out.print(picture(found, out.width, out.height))
            _say_next(found, out)


def _show_all(store: Store, out: Console, *, as_json: bool) -> None:
    found = overviews(store)
    if as_json:
        print(json.dumps([one.to_json() for one in found], indent=1))
        return
    if not found:
        out.print(f"no experiments in {store.uri}", markup=False)
        out.print("next: g3dr run experiments/quickstart.yaml, or name the root: g3dr status --root s3://bucket/prefix", markup=False)
        return
    table = _plain_table("experiment", "stages begun", "runs", "now")
    for one in found:
        begun = sum(1 for stage in one.stages if stage.runs)
        states = ", ".join(filter(None, [_counts(_summed(one)), f"{sum(sum(s.runs.values()) for s in one.stages):,} in all"]))
        now = ", ".join(f"{live.snapshot.stage or live.snapshot.note or 'between stages'} on {live.host}" for live in one.running) or "-"
        table.add_row(escape(one.experiment), f"{begun} of {len(one.stages)}", states, escape(now))
    out.print(table)
    out.print(f"next: g3dr status {found[0].experiment} --root {store.uri}", markup=False, soft_wrap=True)


def _follow(store: Store, experiment: str, out: Console) -> None:
    """Looks again and again until nobody computes the experiment any more."""
    found = overview(store, experiment)
    damage = found.damage  # looking for that takes a listing of everything, so it is done once
    if out.is_terminal:
        with Live(console=out, auto_refresh=False, transient=True) as live:
            while found.running:
                live.update(picture(found, out.width, out.height), refresh=True)
                time.sleep(_FOLLOW_SECONDS)
                found = overview(store, experiment, damage=False)
    else:
        while found.running:
            for one in found.running:
                out.print(f"{one.host}: {plain_line(one.snapshot)}", markup=False)
            time.sleep(_PLAIN_SECONDS)
            found = overview(store, experiment, damage=False)
    out.print(picture(replace(found, damage=damage), out.width, out.height))
    _say_next(found, out)


def picture(found: Overview, width: int, height: int) -> RenderableType:
    """Returns how an experiment stands, in `width` columns and about `height` lines."""
    parts: list[RenderableType] = [Text.assemble((found.experiment, "bold"), f"  {found.description}", overflow="ellipsis", no_wrap=True)]
    parts.append(_stages(found))
    for live in found.live[: 1 if not found.running else len(found.running)]:
        parts += [Text(_orchestrator(live), style="dim")]
        if live.is_running:
            parts.append(draw(live.snapshot, width, max(12, height - len(found.stages) - 8)))
            parts += [Text(live.snapshot.note)] if live.snapshot.note else []
    parts += _computed_now(found) + _errors(found)
    parts += [Text.assemble(("damaged and skipped: ", "red"), f"run {run}: {problem}") for run, problem in found.damage]
    if found.stops and found.running:
        parts.append(Text("somebody asked to stop it: runs end at their next report", style="yellow"))
    return Group(*parts)


def _plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _stages(found: Overview) -> Table:
    table = _plain_table("stage", "kind", "runs", "time", "best so far")
    for stage in found.stages:
        table.add_row(escape(stage.name), stage.kind, _counts(stage.runs) or "-", _time(stage), escape(_best(stage)))
    return table


def _time(stage: StageOverview) -> str:
    return time_left(stage.seconds) if stage.seconds else "-"


def _best(stage: StageOverview) -> str:
    if not stage.best:
        return "-"
    return f"{stage.metric} {stage.value:.4g} ({stage.best})" if stage.value is not None else stage.best


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts.get(state))


def _summed(one: Overview) -> dict[str, int]:
    return {state: sum(stage.runs.get(state, 0) for stage in one.stages) for state in STATES}


def _orchestrator(live: Orchestrator) -> str:
    since = time_left(max(0.0, live.written - live.started))
    who = f"orchestrator on {live.host}, process {live.pid}"
    if live.is_running:
        return f"{who}: runs for {since}, last heard {time_left(live.age)} ago"
    if live.state == "running":
        return f"{who}: not heard for {time_left(live.age)}, after {since}; run the experiment again to go on"
    return f"{who}: {live.state} after {since}, {time_left(live.age)} ago"


def _computed_now(found: Overview) -> list[RenderableType]:
    held = [run for run in found.runs if run.holder is not None and not run.holder.gone]
    if not held or found.running:
        return []
    table = _plain_table("run", "label", "held by", "last sign of life")
    for run in held[:_MOST_RUNS]:
        table.add_row(run.run, escape(run.label), *_holder(run))
    return [table]


def _holder(run: RunOverview) -> tuple[str, str]:
    return ("", "") if run.holder is None else (escape(f"{run.holder.host}, process {run.holder.pid}"), run.holder.renewed)


def _errors(found: Overview) -> list[RenderableType]:
    failed = [run for run in found.runs if run.error]
    lines = [Text.assemble((f"{run.state}: ", "red"), f"{run.stage}/{run.label} ({run.run}): {run.error}") for run in failed[:_MOST_ERRORS]]
    more = len(failed) - len(lines)
    return [*lines, *([Text(f"and {more:,} more that failed", style="dim")] if more else [])]


def _is_unfinished(found: Overview) -> bool:
    """Tells whether something is left to compute, and nobody does it."""
    has_begun_all = bool(found.stages) and all(stage.runs for stage in found.stages)
    return not has_begun_all or any(run.state in ("interrupted", "missing") for run in found.runs)


def _say_next(found: Overview, out: Console) -> None:
    root = f" --root {found.root}"
    failed = next((run for state in ("failed", "cancelled") for run in found.runs if run.state == state), None)
    if failed is not None:
        words = f"g3dr logs {failed.run}{root}, then g3dr retry {found.experiment}{root} and run it again"
    elif found.running:
        words = f"g3dr status {found.experiment} --follow{root}, or g3dr stop {found.experiment}{root}"
    elif _is_unfinished(found):
        words = "run the experiment again: it goes on where it stopped"
    else:
        words = f"g3dr report {found.experiment}{root}"
    out.print(f"next: {words}", markup=False, soft_wrap=True)
