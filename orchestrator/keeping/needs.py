"""What the experiments of a ledger still need: the best runs of their stages, checkpoints that they name, runs that are being computed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.experiment.byte_sizes import parse_bytes
from orchestrator.experiment.sources import parse_origin
from orchestrator.keeping.inventory import RunFiles
from orchestrator.keeping.retention import Needs
from orchestrator.ledger import Ledger
from orchestrator.ledger.evaluations import MOST_WAITING, StepsRecord, read_steps_file
from orchestrator.ledger.lease_record import LeaseRecord
from orchestrator.ledger.reading import read_all
from orchestrator.store import Store

Record = Mapping[str, Any]
_DEFAULT_KEEP = 2


@dataclass(frozen=True)
class ExperimentRecords:
    """What the ledger says about an experiment.

    Attributes:
        name: The experiment.
        document: As its file was resolved; empty if it never ran.
        stages: Records of its stages by name.
    """

    name: str
    document: Record
    stages: Mapping[str, Record]

    @property
    def runs(self) -> list[str]:
        """The runs that its recorded stages consist of."""
        return list(dict.fromkeys(str(entry["run"]) for record in self.stages.values() for entry in record.get("runs") or []))

    @property
    def missing_stages(self) -> list[str]:
        """Stages that it declares and that were not done yet."""
        return [str(stage["name"]) for stage in self.document.get("stages") or [] if stage["name"] not in self.stages]

    @property
    def keep(self) -> int:
        """Newest checkpoints of each run that it keeps."""
        return int((self.document.get("retention") or {}).get("checkpoints", _DEFAULT_KEEP))

    @property
    def budget(self) -> int | None:
        """Bytes that its checkpoints may have."""
        text = (self.document.get("retention") or {}).get("budget")
        return None if text is None else parse_bytes(str(text))


def read_experiments(store: Store) -> dict[str, ExperimentRecords]:
    """Returns the records of every experiment in a ledger, by name: one listing and one small file for each record."""
    parts = {path: path.split("/") for path in store.list("experiments")}
    wanted = [path for path, part in parts.items() if part[2:] == ["experiment.json"] or (part[2] == "stages" and path.endswith(".json"))]
    records = {path: record for path, record in read_all(store, wanted, lambda path: _read(store, path)).items() if record}
    names = sorted({path.split("/")[1] for path in records})
    return {name: _experiment(name, records) for name in names}


def _experiment(name: str, records: Mapping[str, Record]) -> ExperimentRecords:
    folder = f"experiments/{name}/stages/"
    stages = {path.removeprefix(folder).removesuffix(".json"): record for path, record in records.items() if path.startswith(folder)}
    return ExperimentRecords(name, records.get(f"experiments/{name}/experiment.json", {}), stages)


def _read(store: Store, path: str) -> Record | None:
    try:
        record = json.loads(store.read_bytes(path))
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def needs_of(store: Store, experiments: Iterable[ExperimentRecords], held: Mapping[str, str]) -> Needs:
    """Returns what must stay.

    Args:
        store: The ledger's store.
        experiments: All its experiments.
        held: Runs that a process holds, with the reason.
    """
    experiments = list(experiments)
    runs = {run: reason for experiment in experiments for run, reason in _best(experiment)}
    paths = {path: reason for experiment in experiments for path, reason in _named(experiment, store.uri)}
    return Needs(held, runs, paths)


def _best(experiment: ExperimentRecords) -> Iterable[tuple[str, str]]:
    for stage, record in experiment.stages.items():
        front = [run for trial in record.get("pareto") or () for run in trial["runs"]]
        for run in [record.get("best"), *front]:
            if isinstance(run, str):
                yield run, f"the best of {experiment.name}/{stage}"


def _named(experiment: ExperimentRecords, root: str) -> Iterable[tuple[str, str]]:
    """The checkpoints that stages name by their path: below the root, or with the root's own in front."""
    for stage in experiment.document.get("stages") or []:
        for name, reason in (("from", "starts from it"), ("autoencoder", "works in its latent space")):
            source = stage.get(name)
            origin = parse_origin(source) if isinstance(source, str) else None
            if origin is not None and origin.kind == "checkpoint":
                yield from ((path, f"{experiment.name}/{stage.get('name')} {reason}") for path in _meant(origin.name, root))


def _meant(name: str, root: str) -> set[str]:
    """Returns the paths below the root that a checkpoint's name may mean: one below it, or a folder or URI that leads there."""
    outside = name.partition("?")[0].removeprefix("file://")
    places = {name, outside if "://" in outside else str(Path(outside).absolute())}
    return {place.removeprefix(root.partition("?")[0]).strip("/") for place in places}


def waiting_checkpoints(ledger: Ledger, files: Mapping[str, RunFiles]) -> dict[str, str]:
    """Returns the checkpoints that wait to be measured, for a curve over the steps of a run that is not over; the newest few of each run.

    Args:
        ledger: Where they are.
        files: The runs that are asked about; small files are read only of those with such measurements.
    """
    places = {path: run for run, found in files.items() for path in found.step_measurements}
    records = read_all(ledger.store, list(places), lambda path: read_steps_file(ledger.store, path))
    open_ones = {path: record for path, record in records.items() if record is not None and not record.finished}
    states = {run: status.state for run, status in ledger.statuses({places[path] for path in open_ones}).items()}
    steps = [
        (run, step)
        for path, record in open_ones.items()
        if states.get(run := places[path]) in ("running", "failed")
        for step in _waiting(files[run], path, record)
    ]
    return {f"runs/{run}/checkpoints/{step:08d}": "it waits to be measured, for a curve over steps" for run, step in steps}


def _waiting(run: RunFiles, path: str, record: StepsRecord) -> list[int]:
    measured = run.step_measurements[path]
    return [step for step in run.complete if step % record.every == 0 and step not in measured][-MOST_WAITING:]


def held_runs(store: Store, files: Mapping[str, RunFiles]) -> dict[str, str]:
    """Returns which of some runs a process holds, and says who; one small file for each run that was ever held."""
    newest = {run: found.leases[-1].path for run, found in files.items() if found.leases}
    records = read_all(store, list(newest.values()), lambda path: _lease(store, path))
    held = {run: _holder(records[path]) for run, path in newest.items()}
    return {run: reason for run, reason in held.items() if reason}


def _lease(store: Store, path: str) -> LeaseRecord | None:
    try:
        return LeaseRecord.parse(store.read_bytes(path))
    except FileNotFoundError:
        return None


def _holder(record: LeaseRecord | None) -> str:
    """Returns who holds a run; empty if it is known that nobody does."""
    if record is None:
        return "its lease cannot be read"
    if record.is_over:
        return ""
    return f"process {record.owner.pid} on {record.owner.host} computes it, last heard of {record.renewed}"
