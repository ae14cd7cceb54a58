"""Curves of a stage's runs: what the ledger holds, and what the runs said since their last checkpoint."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.ledger import Ledger
from orchestrator.ledger.reading import read_all
from orchestrator.ledger.records import read_json
from orchestrator.running.snapshot import finite
from orchestrator.store import Store
from orchestrator.viewing.recent import Recent

MOST_RUNS = 16
MOST_POINTS = 240
_MOST_METRICS = 12
_OVER = ("finished", "stopped")
_KEPT_SECONDS = 3600.0
_FIRST = ("loss", "rgb", "depth", "perceptual", "clip", "pooled_rgb", "novel_psnr", "canonical_psnr", "kid", "fd", "fid", "nfs")
_NO_CURVES = frozenset({"step", "steps", "epoch", "images", "views", "seconds", "seconds_per_step", "learning_rate"})

Row = Mapping[str, float]


class Trail:
    """Remembers what running runs say about themselves: the ledger gets their numbers only with checkpoints."""

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, float]]] = {}
        self._lock = threading.Lock()

    def note(self, run: str, step: int, metrics: Row) -> None:
        """Adds a moment; one that lies before others means that the run went back, and those are forgotten."""
        with self._lock:
            rows = [row for row in self._rows.get(run, []) if row["step"] < step]
            self._rows[run] = [*rows, {**finite(metrics), "step": float(step)}][-2 * MOST_POINTS :]

    def after(self, run: str, step: float) -> list[dict[str, float]]:
        """Returns the moments of a run beyond a step."""
        with self._lock:
            return [row for row in self._rows.get(run, []) if row["step"] > step]

    def keep(self, runs: Iterable[str]) -> None:
        """Forgets all other runs."""
        with self._lock:
            self._rows = {run: self._rows[run] for run in runs if run in self._rows}


class Curves:
    """Reads curves.

    Args:
        store: The root.
        recent: Remembers what was just read.
    """

    def __init__(self, store: Store, recent: Recent) -> None:
        self._ledger, self._recent = Ledger(store), recent
        self._trails: dict[str, Trail] = {}

    def of(self, state: Mapping[str, Any], stage: str = "") -> dict[str, Any]:
        """Returns the curves of a stage, thinned: name of the number to run to points.

        Args:
            state: The experiment as `States.one` tells it.
            stage: Which; the present or last one without it.
        """
        chosen = stage or state["current"]
        trail = self._trails.setdefault(state["experiment"], Trail())
        running = [run for run in state["runs"] if run["state"] == "running"]
        trail.keep([run["run"] for run in running])
        for run in running:
            if run["metrics"]:
                trail.note(run["run"], run["step"], run["metrics"])
        runs = _distinct(run for run in state["runs"] if run["stage"] == chosen and (run["step"] or run["metrics"]))
        first = min((run["place"] for run in state["runs"] if run["stage"] == chosen), default=0)
        shown = sorted(runs[:MOST_RUNS], key=lambda run: int(run["place"]))
        found = read_all(self._ledger.store, [run["run"] for run in shown], lambda name: self._rows_of(name, shown))
        rows = {run: [*ledger, *trail.after(run, ledger[-1]["step"] if ledger else -1)] for run, ledger in found.items()}
        evaluated = read_all(self._ledger.store, list(found), lambda name: self._evaluated(name, shown))
        return {
            "stage": chosen,
            "runs": [{"run": run["run"], "label": run["label"], "style": run["place"] - first} for run in shown],
            "more": len(runs) - len(shown),
            "metrics": _by_metric({run: [*rows[run], *evaluated[run]] for run in rows}),
        }

    def _seconds(self, name: str, shown: Sequence[Mapping[str, Any]]) -> tuple[Any, float]:
        """Returns what a run's numbers change with, and how long they stay: for good where the run is over."""
        run = next(one for one in shown if one["run"] == name)
        return (run["state"], run["step"] if run["state"] in _OVER else None), _KEPT_SECONDS if run["state"] in _OVER else 4.0

    def _rows_of(self, name: str, shown: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
        key, seconds = self._seconds(name, shown)
        return self._recent.get(("rows", name, key), lambda: [finite(row) for row in self._ledger.metrics(name)], seconds)

    def _evaluated(self, name: str, shown: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
        """Returns what was measured of a run's checkpoints while it was computed."""
        key, seconds = self._seconds(name, shown)
        return self._recent.get(("evaluated", name, key), lambda: self._read_evaluated(name), seconds)

    def _read_evaluated(self, name: str) -> list[dict[str, float]]:
        store = self._ledger.store
        paths = [path for path in store.list(f"runs/{name}/evaluations") if "/steps/" in path and path.endswith(".json")]
        records = [read_json(store, path) or {} for path in paths]
        return [{**finite(record.get("metrics", {})), "step": float(record["step"])} for record in records if "step" in record]


def _distinct(runs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({run["run"]: run for run in runs}.values())


def _by_metric(rows: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    names = {name for found in rows.values() for row in found for name in row} - _NO_CURVES
    ordered = [name for name in _FIRST if name in names] + sorted(names - set(_FIRST))
    return {name: _of_metric(rows, name) for name in ordered[:_MOST_METRICS]}


def _of_metric(rows: Mapping[str, Sequence[Row]], name: str) -> dict[str, list[tuple[float, float]]]:
    points = {run: [(row["step"], row[name]) for row in found if name in row and "step" in row] for run, found in rows.items()}
    return {run: thinned(sorted(found)) for run, found in points.items() if found}


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns at most `MOST_POINTS` points, evenly chosen, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return list(points)
    last = len(points) - 1
    return [points[round(index * last / (MOST_POINTS - 1))] for index in range(MOST_POINTS)]
