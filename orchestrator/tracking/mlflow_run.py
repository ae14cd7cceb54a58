"""Tells an MLflow server about a run: the experiment is the stage, the run is named by its label, and a continued run continues its record.

The record's tag `g3dr.run` is the run's id, and `g3dr.step` the last step that the server has: it is written in one request with the
numbers, so no step is sent twice, however often the run is killed. Needs `mlflow` or `mlflow-skinny`; both take about two seconds to
import, which happens in the background and only where `MLFLOW_TRACKING_URI` is set.
"""

import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.runs import RunRequest
from orchestrator.tracking.background import Background

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

VARIABLE = "MLFLOW_TRACKING_URI"
STATES = {"finished": "FINISHED", "stopped": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
_MOST_METRICS = 900  # the server takes a thousand a request
_MOST_PARAMS = 90
_LONGEST_PARAM = 6000


class Number(NamedTuple):
    """A number of a step, with its time in seconds since 1970."""

    name: str
    value: float
    step: int
    when: float


def is_configured() -> bool:
    """Tells whether the user wants MLflow."""
    return bool(os.environ.get(VARIABLE))


class MlflowRun:
    """The record of a run on an MLflow server; everything happens in the background.

    Args:
        request: The run.
        background: Sends.
    """

    def __init__(self, request: RunRequest, background: Background) -> None:
        self._request, self._background = request, background
        self._client: MlflowClient | None = None
        self._id, self._step = "", -1
        self._numbers: list[Number] = []
        background.do(self._open)

    def add(self, step: int, metrics: Mapping[str, float], group: str = "") -> None:
        """Takes the numbers of a step; those of a group have its name before theirs."""
        prefix, now = f"{group}/" if group else "", time.time()
        self._numbers += [Number(f"{prefix}{name}", value, step, now) for name, value in metrics.items()]

    def save(self, step: int) -> None:
        """Has everything sent that leads to `step`, but what the server has already."""
        numbers, self._numbers = self._numbers, []
        self._background.do(lambda: self._send(numbers, step))

    def resume(self, step: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Makes up for rows of the ledger up to `step` that the server lacks."""
        now = time.time()
        numbers = [Number(name, row[name], int(row["step"]), now) for row in rows if row["step"] <= step for name in row if name != "step"]
        self._background.do(lambda: self._send(numbers, step))

    def end(self, state: str) -> None:
        """Closes the record; one that is interrupted stays open for its continuation."""
        if state in STATES:
            self._background.do(lambda: self._close(STATES[state]))

    def _open(self) -> None:
        if importlib.util.find_spec("mlflow") is None:
            raise ModuleNotFoundError(f"{VARIABLE} is set, and neither mlflow nor mlflow-skinny is installed (pip install mlflow-skinny)")
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient  # noqa: PLC0415  (takes two seconds)

        client = MlflowClient()
        experiment = _experiment(client, self._request.stage)
        found = client.search_runs([experiment], f"tags.`g3dr.run` = '{self._request.spec.id}'", max_results=1)
        if found:
            self._id, self._step = found[0].info.run_id, int(found[0].data.tags.get("g3dr.step", -1))
            client.update_run(self._id, status="RUNNING")
        else:
            self._id = client.create_run(experiment, run_name=self._request.label, tags={"g3dr.run": self._request.spec.id}).info.run_id
            self._send_settings(client)
        self._client = client

    def _send_settings(self, client: "MlflowClient") -> None:
        from mlflow.entities import Param  # noqa: PLC0415

        params = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in _flat(settings_of(self._request)).items()]
        for first in range(0, len(params), _MOST_PARAMS):
            client.log_batch(self._id, params=params[first : first + _MOST_PARAMS])

    def _send(self, numbers: Sequence[Number], step: int) -> None:
        """Sends in pieces that the server takes; only the last one moves the step."""
        if self._client is None:
            return  # it could not be opened, and that was said
        from mlflow.entities import Metric, RunTag  # noqa: PLC0415

        new = [Metric(number.name, number.value, int(number.when * 1000), number.step) for number in numbers if self._is_new(number)]
        for first in range(0, len(new), _MOST_METRICS):
            is_last = first + _MOST_METRICS >= len(new)
            tags = [RunTag("g3dr.step", str(step))] if is_last else []
            self._client.log_batch(self._id, metrics=new[first : first + _MOST_METRICS], tags=tags)
        self._step = max(self._step, step)

    def _is_new(self, number: Number) -> bool:
        """Numbers of a group, such as an evaluation, are measured once, after the last step."""
        return number.step > self._step or "/" in number.name

    def _close(self, status: str) -> None:
        if self._client is not None:
            self._client.set_terminated(self._id, status)


def _experiment(client: "MlflowClient", name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except Exception:  # noqa: BLE001, RUF100  (another worker was faster; each server says so in its own words)
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def settings_of(request: RunRequest) -> dict[str, Any]:
    """Returns what a person compares runs by: all settings, the data, the seed, and where the stage put it."""
    spec = request.spec
    parts = {name: asdict(getattr(spec, name)) for name in ("model", "objective", "training", "data")}
    return {**parts, "seed": spec.seed, "initial": spec.initial, "species": request.species, "recipe": request.recipe}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted paths instead of nested mappings."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= _flat(item, f"{prefix}{name}.") if isinstance(item, Mapping) else {f"{prefix}{name}": item}
    return found
