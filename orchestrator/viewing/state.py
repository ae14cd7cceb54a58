"""How experiments stand, as plain values for the page."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.finding import check_experiment, experiments
from orchestrator.ledger.reading import read_all
from orchestrator.ledger.records import read_json
from orchestrator.running.judging import STATES
from orchestrator.running.live import Live, read_live
from orchestrator.running.overview import Overview, RunOverview, StageOverview, overview
from orchestrator.running.snapshot import RunNow
from orchestrator.store import Store
from orchestrator.viewing.recent import Recent

QUIET_SECONDS = 20.0
"""Nobody computes it: so long it is taken to be as it was."""

_MOST_ROWS = 500
_MOST_SHEETS = 6
# What needs a person comes first, what is done last.
_ORDER = ("running", "failed", "interrupted", "cancelled", "waiting", "missing", "stopped", "finished")


class States:
    """Reads how experiments stand.

    Args:
        store: The root.
        recent: Remembers what was just read.
    """

    def __init__(self, store: Store, recent: Recent) -> None:
        self._store, self._recent = store, recent

    def check(self, experiment: str) -> None:
        """Makes sure that there is such an experiment.

        Raises:
            UnknownNameError: There is none.
        """
        if experiment not in self._names():
            check_experiment(self._store, experiment)

    def _names(self) -> list[str]:
        return self._recent.get("names", lambda: experiments(self._store))

    def _reports(self) -> set[str]:
        """Returns the names of the reports that are there: of experiments, and of several compared."""
        paths = self._recent.get("reports", lambda: self._store.list("reports"), QUIET_SECONDS)
        return {path.split("/")[1] for path in paths if path.endswith("/index.html") and path.count("/") == 2}

    def _overview(self, experiment: str) -> Overview:
        # The key changes with every sign of life, and what is over is then read once more.
        live = self._recent.get(("live", experiment), lambda: read_live(self._store, experiment))
        signs = tuple((one.host, one.pid, one.state, one.is_running) for one in live)
        seconds = {} if any(one.is_running for one in live) else {"seconds": QUIET_SECONDS}
        return self._recent.get(
            ("overview", experiment, signs), lambda: overview(self._store, experiment, damage=False, finished=True), **seconds
        )

    def all(self) -> dict[str, Any]:
        """Returns all experiments in brief, those that run first, and the reports of several experiments."""
        names, reports = self._names(), self._reports()
        overviews = read_all(self._store, names, self._overview)
        found = [self._brief(one, has_report=name in reports) for name, one in overviews.items()]
        return {
            "root": self._store.uri,
            "experiments": sorted(found, key=lambda one: (one["state"] != "running", one["experiment"])),
            "comparisons": [{"name": name, "report": _report_path(name)} for name in sorted(reports - set(names))],
        }

    def _brief(self, found: Overview, *, has_report: bool) -> dict[str, Any]:
        best = [stage for stage in found.stages if stage.value is not None]
        return {
            "experiment": found.experiment,
            "description": found.description,
            "state": state_of(found),
            "counts": _counts(found),
            "begun": sum(1 for stage in found.stages if stage.runs),
            "stages": len(found.stages),
            "best": _best(best[-1]) if best else None,
            "now": [_live(one) for one in found.running],
            "report": _report_path(found.experiment) if has_report else None,
        }

    def one(self, experiment: str) -> dict[str, Any]:
        """Returns all about an experiment but its curves and pictures.

        Raises:
            UnknownNameError: There is none of this name.
        """
        self.check(experiment)
        found = self._overview(experiment)
        runs, now = _merged(found), {run.run: run for live in found.running for run in live.snapshot.running}
        return {
            "root": found.root,
            **self._brief(found, has_report=experiment in self._reports()),
            "stopping": found.stops,
            "stages": [{**_stage(stage), "best": _best(stage) if stage.best else None} for stage in found.stages],
            "current": _current(found),
            "live": [_live(one) for one in found.running or found.live[:1]],
            "runs": [_run(run, now.get(run.run), place) for place, run in runs[:_MOST_ROWS]],
            "more_runs": max(0, len(runs) - _MOST_ROWS),
            "sheets": self._recent.get(("sheets", experiment, _finished(runs)), lambda: self._sheets(found), 3600),
        }

    def _sheets(self, found: Overview) -> list[dict[str, str]]:
        """Returns the evaluations of the newest stages whose runs are over: the best of each stage first."""
        over = {run.run for run in found.runs if run.state in ("finished", "stopped")}
        sheets: list[dict[str, str]] = []
        for stage in reversed(found.stages):
            record = read_json(self._store, f"experiments/{found.experiment}/stages/{stage.name}.json") or {}
            entries = [entry for entry in record.get("runs", []) if entry.get("evaluation") and entry["run"] in over]
            entries.sort(key=lambda entry: entry["run"] != record.get("best"))
            room = max(1, _MOST_SHEETS - len(sheets)) if stage.name == _current(found) else 1
            sheets += [
                {"run": str(entry["run"]), "evaluation": str(entry["evaluation"]), "stage": stage.name, "label": str(entry["label"])}
                for entry in entries[: min(room, 3)]
            ]
        unique = {(sheet["run"], sheet["evaluation"]): sheet for sheet in reversed(sheets)}
        return list(reversed(unique.values()))[:_MOST_SHEETS]


def state_of(found: Overview) -> str:
    """Returns an experiment in one word: `running`, `failed`, `finished`, `unfinished`."""
    counts = _counts(found)
    if found.running:
        return "running"
    if counts.get("failed"):
        return "failed"
    whole = bool(found.stages) and all(stage.runs for stage in found.stages)
    return "finished" if whole and not any(counts.get(state) for state in ("interrupted", "missing", "running")) else "unfinished"


def _report_path(name: str) -> str:
    return f"/reports/{name}/index.html"


def _counts(found: Overview) -> dict[str, int]:
    counts = Counter[str]()
    for stage in found.stages:
        counts.update(stage.runs)
    return {state: counts[state] for state in STATES if counts[state]}


def _best(stage: StageOverview) -> dict[str, Any]:
    value = stage.value if stage.value is not None and math.isfinite(stage.value) else None
    return {"stage": stage.name, "label": stage.best, "metric": stage.metric, "value": value}


def _stage(stage: StageOverview) -> dict[str, Any]:
    counts = {state: stage.runs[state] for state in STATES if stage.runs.get(state)}
    return {"name": stage.name, "kind": stage.kind, "counts": counts, "seconds": stage.seconds}


def _current(found: Overview) -> str:
    """Returns the stage that is computed, or the last that was begun."""
    now = next((live.snapshot.stage for live in found.running if live.snapshot.stage), "")
    return now or next((stage.name for stage in reversed(found.stages) if stage.runs), "")


def _live(live: Live) -> dict[str, Any]:
    now = live.snapshot
    return {
        "host": live.host,
        "pid": live.pid,
        "state": live.state if live.is_running or live.state != "running" else "lost",
        "age": round(live.age),
        "seconds": round(max(0.0, live.written - live.started)),
        "stage": now.stage,
        "done": sum(now.ended.values()),
        "runs": now.runs,
        "seconds_left": now.seconds_left,
        "cost_left": now.cost_left,
        "currency": now.currency,
        "waiting": len(now.waiting),
        "why": next(iter(now.waiting.values()), ""),
        "task": None if now.task is None else {"what": now.task[0], "done": now.task[1], "total": now.task[2]},
        "note": now.note,
        "error": now.last_error,
    }


def _merged(found: Overview) -> list[tuple[int, RunOverview]]:
    """Returns the runs of the ledger, and those that only the orchestrators know yet, in the order of their need of attention.

    With each comes its place among all, which it keeps.
    """
    known = {(run.stage, run.run): run for run in found.runs}
    for live in found.running:
        for now in live.snapshot.running:
            place = (live.snapshot.stage, now.run)
            before = known.get(place, RunOverview(now.run, live.snapshot.stage, now.label, "running"))
            known[place] = RunOverview(before.run, before.stage, before.label, "running", max(before.step, now.step), before.error)
    return sorted(enumerate(known.values()), key=lambda item: _ORDER.index(item[1].state) if item[1].state in _ORDER else len(_ORDER))


def _run(run: RunOverview, now: RunNow | None, place: int) -> dict[str, Any]:
    return {
        "place": place,
        "run": run.run,
        "stage": run.stage,
        "label": run.label,
        "state": run.state,
        "step": run.step,
        "steps": now.steps if now else None,
        "rate": now.rate if now else None,
        "metrics": dict(now.metrics) if now else {},
        "error": run.error,
    }


def _finished(runs: Sequence[tuple[int, RunOverview]]) -> int:
    """Returns how many runs are over: with that the sheets change."""
    return sum(1 for _, run in runs if run.state in ("finished", "stopped"))
