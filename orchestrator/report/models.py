"""Objects that can be turned by hand: their GLB files inside the page, as many as it can carry."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.report.collect import read_pictures
from orchestrator.report.pictures import Thumbnail, thumbnail
from orchestrator.report.records import Evaluation, MeshFile, Pictures, Study
from orchestrator.report.results import Headline, SpeciesRow
from orchestrator.store import Store

MOST_MODELS = 8
MOST_BYTES = 5_000_000
"""Of all files together; in the page they take a third more."""


@dataclass(frozen=True)
class Model:
    """One object.

    Attributes:
        name: Key of the object, with the recipe where there is one.
        triangles: Of its surface.
        data: The GLB file in base64.
        size: Bytes of the file.
        input: The picture that it was made from, if it was kept.
        poster: The model's picture of it, shown until somebody turns it.
    """

    name: str
    triangles: int
    data: str
    size: int
    input: Thumbnail | None
    poster: Thumbnail | None


def models(store: Store, study: Study, head: Headline | None, rows: Sequence[SpeciesRow]) -> list[Model]:
    """Returns objects of the headline, one of each species with its last recipe, and one of each sweep's best trial.

    As many as `MOST_MODELS` and `MOST_BYTES` allow, in this order.
    """
    found: list[Model] = []
    for name, evaluation, mesh in (*_candidates(head, rows), *_best_trials(study)):
        fits = len(found) < MOST_MODELS and sum(model.size for model in found) + mesh.size <= MOST_BYTES
        if fits and store.exists(mesh.path):
            found.append(_model(name, mesh, store.read_bytes(mesh.path), read_pictures(store, evaluation)))
    return found


def _candidates(head: Headline | None, rows: Sequence[SpeciesRow]) -> Iterator[tuple[str, Evaluation, MeshFile]]:
    if head:
        yield from ((mesh.key, head.evaluation, mesh) for mesh in head.evaluation.meshes)
    for row in {row.species: row for row in rows}.values():
        for evaluation in _evaluations(row):
            yield from ((f"{mesh.key}, {row.recipe.replace('_', '-')}", evaluation, mesh) for mesh in evaluation.meshes[:1])


def _best_trials(study: Study) -> Iterator[tuple[str, Evaluation, MeshFile]]:
    for stage in study.of_kind("sweep"):
        for run in stage.runs:
            if run.run == stage.best and run.evaluation:
                yield from ((f"{mesh.key}, {stage.name}: {run.name}", run.evaluation, mesh) for mesh in run.evaluation.meshes[:1])


def _evaluations(row: SpeciesRow) -> Iterable[Evaluation]:
    return [run.evaluation for run in row.runs if run.evaluation][:1]


def _model(name: str, mesh: MeshFile, data: bytes, pictures: Pictures | None) -> Model:
    return Model(
        name,
        mesh.triangles,
        b64encode(data).decode(),
        len(data),
        _picture(pictures, "input", mesh.key, f"Input of {name}"),
        _picture(pictures, "canonical", mesh.key, f"{name} as the model renders it"),
    )


def _picture(pictures: Pictures | None, array: str, key: str, description: str) -> Thumbnail | None:
    if pictures is None or array not in pictures.arrays or key not in pictures.keys:
        return None
    index = list(pictures.keys).index(key)
    return thumbnail(pictures.arrays[array][index], description) if index < len(pictures.arrays[array]) else None
