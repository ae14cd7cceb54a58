"""Reads an experiment from the ledger. Missing pieces become None or empty, never an error: half a study has a report too."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from safetensors.numpy import load

from g3dr.errors import DataError
from orchestrator.ledger import Ledger, generated
from orchestrator.report.depths import DepthOrigin, depth_origin
from orchestrator.report.records import Dataset, Evaluation, MeshFile, Number, Pictures, Stage, StageRun, Study
from orchestrator.store import Store


def read_study(store: Store, name: str) -> Study:
    """Reads the experiment `name`.

    Raises:
        DataError: The store holds no such experiment.
    """
    experiment = read_json(store, f"experiments/{name}/experiment.json")
    if not experiment:
        raise DataError(f"there is no experiment {name!r} in {store.uri}; {_known_experiments(store)}")
    return Study(
        name=name,
        description=experiment.get("description") or "",
        root=store.uri,
        experiment=experiment,
        git=experiment.get("git") or {},
        stages=[_read_stage(store, name, stage) for stage in experiment.get("stages") or []],
        datasets=[_dataset(entry) for entry in experiment.get("datasets") or []],
    )


def _dataset(entry: Mapping[str, Any]) -> Dataset:
    version = entry.get("version")
    depth = depth_origin(str(entry.get("uri") or ""), version) if version else DepthOrigin()
    return Dataset(entry["name"], version, entry.get("rows"), depth)


def read_json(store: Store, path: str) -> dict[str, Any]:
    """Reads a JSON object; an absent file is an empty one."""
    if not store.exists(path):
        return {}
    record: dict[str, Any] = json.loads(store.read_bytes(path))
    return record


def read_pictures(store: Store, evaluation: Evaluation) -> Pictures | None:
    """Reads the pictures of an evaluation; None if there are none."""
    path = f"runs/{evaluation.run}/evaluations/{evaluation.id}.safetensors"
    if not store.exists(path):
        return None
    data = store.read_bytes(path)
    labels = _metadata(data)
    return Pictures(keys=json.loads(labels.get("keys", "[]")), species=json.loads(labels.get("species", "[]")), arrays=load(data))


def _metadata(data: bytes) -> dict[str, str]:
    # The safetensors header: its length in 8 bytes, then JSON. The library reads metadata only from files on a disk.
    length = int.from_bytes(data[:8], "little")
    labels: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return labels


def experiment_names(store: Store) -> list[str]:
    """Returns the names of all experiments of a root, sorted."""
    parts = [PurePosixPath(path).parts for path in store.list("experiments") if path.endswith("/experiment.json")]
    return sorted({part[-2] for part in parts})


def _known_experiments(store: Store) -> str:
    names = experiment_names(store)
    return f"it has {', '.join(names)}" if names else "nothing was run there yet"


def _read_stage(store: Store, experiment: str, declared: Mapping[str, Any]) -> Stage:
    record = read_json(store, f"experiments/{experiment}/stages/{declared['name']}.json")
    search = declared.get("search") or {}
    kind = record.get("kind") or declared.get("kind") or "train"
    return Stage(
        name=declared["name"],
        kind=kind,
        seconds=float(record.get("seconds") or 0.0),
        runs=[_read_run(store, entry, draws=kind == "network") for entry in record.get("runs") or []],
        best=record.get("best"),
        metric=record.get("metric") or search.get("metric"),
        mode=record.get("mode") or search.get("mode") or "min",
        done=bool(record),
    )


def _read_run(store: Store, entry: Mapping[str, Any], *, draws: bool) -> StageRun:
    run = entry["run"]
    status = read_json(store, f"runs/{run}/status.json")
    return StageRun(
        run=run,
        label=entry.get("label") or "",
        assignment=entry.get("assignment") or {},
        species=entry.get("species"),
        recipe=entry.get("recipe"),
        seed=int(entry.get("seed") or 0),
        state=entry.get("state") or status.get("state") or "missing",
        step=int(status.get("step") or 0),
        seconds=float(status.get("seconds") or 0.0),
        seconds_per_step=finite(status.get("seconds_per_step")) or None,
        error=status.get("error"),
        curve=_read_curve(store, run),
        evaluation=_read_evaluation(store, run, entry.get("evaluation")),
        spec=read_json(store, f"runs/{run}/spec.json"),
        measured=_read_steps(store, run, entry.get("evaluation")),
        generated=list(generated.read_all(store, run).values()) if draws else (),
    )


def _read_curve(store: Store, run: str) -> list[dict[str, float]]:
    return [finite_values(row) for row in Ledger(store).metrics(run)]


def _read_steps(store: Store, run: str, evaluation: str | None) -> list[dict[str, float]]:
    """Reads what was measured during the training; where there are several measurements, the run's own one or the one with most steps."""
    by_evaluation: dict[str, list[str]] = {}
    for path in store.list(f"runs/{run}/evaluations"):
        parts = PurePosixPath(path).parts
        if len(parts) > 3 and parts[-2] == "steps" and path.endswith(".json"):
            by_evaluation.setdefault(parts[-3], []).append(path)
    paths = by_evaluation.get(evaluation or "") or max(by_evaluation.values(), key=len, default=[])
    return [_step_row(read_json(store, path)) for path in sorted(paths)]


def _step_row(record: Mapping[str, Any]) -> dict[str, float]:
    return finite_values(record.get("metrics") or {}) | finite_values({"step": record.get("step")})


def _read_evaluation(store: Store, run: str, evaluation: str | None) -> Evaluation | None:
    record = read_json(store, f"runs/{run}/evaluations/{evaluation}.json") if evaluation else {}
    if not record or not evaluation:
        return None
    columns = record.get("per_image") or {}
    extractor, perceptual = record.get("extractor") or {}, record.get("perceptual") or {}
    return Evaluation(
        run=run,
        id=evaluation,
        spec=record.get("spec") or {},
        images=int(record.get("images") or 0),
        views=int(record.get("views") or 0),
        extractor=extractor.get("name") or "",
        extractor_hash=extractor.get("sha256") or "",
        metrics=finite_values(record.get("metrics") or {}),
        per_image={name: finite_list(values) for name, values in columns.items() if name not in ("key", "species")},
        keys=columns.get("key") or [],
        image_species=columns.get("species") or [],
        per_species={species: finite_values(values) for species, values in (record.get("per_species") or {}).items()},
        seconds=_seconds(record),
        classes=record.get("classes") or {},
        perceptual=perceptual.get("name") or "",
        perceptual_hash=perceptual.get("sha256") or "",
        meshes=[_mesh(f"runs/{run}/evaluations/{evaluation}", entry) for entry in record.get("meshes") or []],
        sheets=[str(caption) for caption in record.get("sheets") or []],
    )


def _seconds(record: Mapping[str, Any]) -> dict[str, list[float]]:
    columns: Mapping[str, list[float]] = record.get("seconds") or {} if record.get("kind") == "timing" else {}
    return {name: [float(value) for value in column] for name, column in columns.items()}


def _mesh(folder: str, entry: Mapping[str, Any]) -> MeshFile:
    # The contract names the file below the evaluation's folder; only its last part is taken, so that no record points elsewhere.
    name = PurePosixPath(str(entry.get("file") or "")).name
    return MeshFile(entry.get("key") or "", f"{folder}/meshes/{name}", int(entry.get("bytes") or 0), int(entry.get("triangles") or 0))


def finite(value: object) -> Number:
    """Returns a finite number as a float, anything else as None."""
    return float(value) if _is_number(value) and math.isfinite(value) else None


def finite_list(values: Iterable[object]) -> list[Number]:
    """Replaces what is no finite number with None; the places stay."""
    return [finite(value) for value in values]


def finite_values(values: Mapping[str, object]) -> dict[str, float]:
    """Keeps the entries that are finite numbers."""
    return {name: float(value) for name, value in values.items() if _is_number(value) and math.isfinite(value)}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
