"""Pictures of a generated set from the files beside its page: contact sheets by species, samples with depth, objects to be turned."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from g3dr.pictures import decode_depth, decode_image
from orchestrator.report.generated.records import Drawing, GeneratedSet
from orchestrator.report.models import MOST_MODELS, Model
from orchestrator.report.pictures import Sheet, labelled_sheet, thumbnail
from orchestrator.store import Store

MOST_COLUMNS, MOST_ROWS = 8, 6
MOST_SHEETS = 4
MOST_SAMPLES = 6
LARGEST_SIDE = 192
"""Larger pictures are made smaller for the page; the files beside it keep their size."""
MOST_BYTES = 12_000_000
"""Of objects, which as text in the page take a third more."""

_QUARTERS = (("Reconstruction", 0), ("From the left", 3), ("From the right", 1))


def contact_sheets(store: Store, made: GeneratedSet) -> list[Sheet]:
    """Returns sheets with a column for each species, or rows of eight pictures where there is but one."""
    by_subject = {subject: [one for one in made.drawings if one.subject == subject] for subject in made.subjects}
    if len(by_subject) == 1:
        (drawings,) = by_subject.values()
        return [_sheet(store, [("", drawings[start::MOST_COLUMNS]) for start in range(min(MOST_COLUMNS, len(drawings)))])]
    columns = list(by_subject.items())
    parts = [columns[start : start + MOST_COLUMNS] for start in range(0, len(columns), MOST_COLUMNS)]
    return [_sheet(store, part) for part in parts[:MOST_SHEETS]]


def _sheet(store: Store, columns: Sequence[tuple[str, Sequence[Drawing]]]) -> Sheet:
    depth = min(MOST_ROWS, max(len(drawings) for _, drawings in columns))
    rows = [
        (
            f"row {row + 1}",
            [thumbnail(_picture(store, drawings[row]), _told(drawings[row])) for _, drawings in columns if row < len(drawings)],
        )
        for row in range(depth)
    ]
    shown = ", ".join(label for label, _ in columns if label)
    return Sheet(f"drawn{f' for {shown}' if shown else ''}", [label for label, _ in columns], rows)


def _told(drawing: Drawing) -> str:
    return f"{drawing.subject or 'picture'}, seed {drawing.seed}"


def samples_sheet(store: Store, made: GeneratedSet) -> Sheet | None:
    """Returns some objects as they came to be: the drawn picture, its estimated depth, views; None where no objects were made."""
    chosen = _chosen(store, made, MOST_SAMPLES)
    if not chosen:
        return None
    shown = [_stages(store, one) for one in chosen]
    labels = ["Drawn", "Estimated depth", *(label for label, _ in _QUARTERS)]
    columns = [(label, np.stack([stages[index] for stages in shown])) for index, label in enumerate(labels)]
    return labelled_sheet("from a drawn picture to an object", [_told(one) for one in chosen], columns, MOST_SAMPLES)


def _stages(store: Store, drawing: Drawing) -> list[np.ndarray]:
    frames = _film(store, drawing)
    depth = decode_depth(store.read_bytes(f"{drawing.name}/{drawing.name}_depth.png"))
    return [_picture(store, drawing), _reduced_depth(depth), *(frames[len(frames) * quarter // 4] for _, quarter in _QUARTERS)]


def models(store: Store, made: GeneratedSet) -> list[Model]:
    """Returns objects to be turned by hand, species taking turns, as many as the page can carry."""
    found: list[Model] = []
    for one in _chosen(store, made, MOST_MODELS):
        data = store.read_bytes(f"{one.name}/{one.name}.glb")
        if sum(model.size for model in found) + len(data) <= MOST_BYTES:
            poster = thumbnail(_film(store, one)[0], f"{one.name} as the model renders it")
            picture = thumbnail(_picture(store, one), f"The drawn picture of {one.name}")
            found.append(Model(one.name, triangles(data), b64encode(data).decode(), len(data), picture, poster))
    return found


def _chosen(store: Store, made: GeneratedSet, most: int) -> list[Drawing]:
    """Returns drawings that became objects, species taking turns."""
    if not made.estimator:
        return []
    whole = (one for one in _in_turns(made) if one.error is None and store.exists(f"{one.name}/{one.name}.glb"))
    return [one for one, _ in zip(whole, range(most), strict=False)]


def _in_turns(made: GeneratedSet) -> Iterator[Drawing]:
    columns = [[one for one in made.drawings if one.subject == subject] for subject in made.subjects]
    for row in range(max((len(column) for column in columns), default=0)):
        yield from (column[row] for column in columns if row < len(column))


def triangles(glb: bytes) -> int:
    """Returns how many triangles a GLB file holds: its JSON stands in front."""
    length = int.from_bytes(glb[12:16], "little")
    described = json.loads(glb[20 : 20 + length])
    parts = [part for mesh in described.get("meshes", []) for part in mesh["primitives"] if "indices" in part]
    return sum(int(described["accessors"][part["indices"]]["count"]) for part in parts) // 3


def _picture(store: Store, drawing: Drawing) -> np.ndarray:
    return _reduced(decode_image(store.read_bytes(f"{drawing.name}/{drawing.name}.png")))


def _reduced(picture: np.ndarray) -> np.ndarray:
    if max(picture.shape[:2]) <= LARGEST_SIDE:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return np.asarray(image)


def _reduced_depth(depth: np.ndarray) -> np.ndarray:
    step = max(1, -(-max(depth.shape) // LARGEST_SIDE))
    return depth[::step, ::step]


def _film(store: Store, drawing: Drawing) -> list[np.ndarray]:
    with Image.open(BytesIO(store.read_bytes(f"{drawing.name}/{drawing.name}.webp"))) as film:
        frames = []
        for number in range(getattr(film, "n_frames", 1)):
            film.seek(number)
            frames.append(_reduced(np.asarray(film.convert("RGB"))))
    return frames
