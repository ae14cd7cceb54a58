"""From drawn pictures to files: depth by an estimator, 3D by the method, a folder for each with a record of how it came to be."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from g3dr.depth import DepthEstimator
from g3dr.errors import DataError, G3drError
from g3dr.export.pictures import contact_sheet
from g3dr.pictures import decode_depth, decode_image, encode_depth, encode_image
from orchestrator.depth.naming import short_name
from orchestrator.depth.source import mapping_identity
from orchestrator.generating.drawing import Drawn
from orchestrator.photographs import RgbdPicture, estimated
from orchestrator.reconstruction import Reconstructor
from orchestrator.store import Store

RECORD = "generation.json"
SHEET = "sheet.png"

_NAME_LENGTH = 40
_COLUMNS, _MOST_ROWS, _READABLE_SIDE = 8, 24, 96


@dataclass(frozen=True)
class Lost:
    """A picture that became no object, and why."""

    name: str
    error: G3drError


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        names: Of the folders.
        lost: What became no object: the picture of such a one is written nevertheless.
        depths: Estimated depth of the others, distance along the ray in world units.
        about: What the record of each tells about all of them.
    """

    names: Sequence[str]
    lost: Sequence[Lost]
    depths: Sequence[Float32[np.ndarray, "_height _width"]]
    about: Mapping[str, Any] = field(default_factory=dict)


class Studio:
    """Turns pictures into the contents of files.

    Args:
        estimator: Says how far away things are.
        reconstructor: Makes the objects.
    """

    def __init__(self, estimator: DepthEstimator, reconstructor: Reconstructor) -> None:
        self._estimator, self._reconstructor = estimator, reconstructor

    def about(self) -> Mapping[str, Any]:
        """Returns what the record tells about depth."""
        return {"depth": {"estimator": dict(self._estimator.identity()), "mapping": mapping_identity()}}

    def files(self, name: str, picture: UInt8[np.ndarray, "height width 3"]) -> dict[str, bytes]:
        """Returns file contents by name: depth map, meshes, videos, sheet.

        Raises:
            DataError: The depth cannot be estimated, or there is nothing solid in the object.
        """
        depth = estimated([picture], self._estimator)[0]
        if isinstance(depth, DataError):
            raise depth
        complete = RgbdPicture(image=picture, depth=depth, mask=None, depth_from=short_name(self._estimator.identity()))
        return {f"{name}_depth.png": encode_depth(depth), **self._reconstructor.files(name, complete)}


def object_name(drawn: Drawn) -> str:
    """Returns a folder's name, such as `fish_01-0003`: what was asked for, as far as a file name can say it, and the seed."""
    words = re.sub(r"[^a-z0-9_]+", "-", drawn.subject.lower()).strip("-")[:_NAME_LENGTH].rstrip("-")
    return f"{words or 'picture'}-{drawn.seed:04d}"


def write_objects(drawn: Sequence[Drawn], studio: Studio | None, out: Store, about: Mapping[str, Any]) -> Written:
    """Writes a folder for each picture, and a sheet of all; one that fails does not stop the others.

    Args:
        drawn: The pictures.
        studio: Makes objects of them; None writes the pictures alone.
        out: Where the folders go.
        about: What the record of each tells about all of them.
    """
    names, lost, depths, sheets = [], [], [], []
    about = {**about, **(studio.about() if studio else {})}
    for one in drawn:
        name = object_name(one)
        files, error, start = {f"{name}.png": encode_image(one.picture)}, None, time.monotonic()
        try:
            files |= studio.files(name, one.picture) if studio else {}
        except G3drError as problem:
            error = problem
            lost.append(Lost(name, problem))
        _write(out.child(name), files, _record(one, about, error, time.monotonic() - start))
        names.append(name)
        depths += [decode_depth(files[f"{name}_depth.png"])] if f"{name}_depth.png" in files else []
        sheets += [decode_image(files[f"{name}_sheet.png"])] if f"{name}_sheet.png" in files else []
    out.write_bytes(SHEET, encode_image(_stacked(sheets[:_MOST_ROWS])) if sheets else grid(drawn, _MOST_ROWS))
    return Written(names, lost, depths, about)


def _write(folder: Store, files: Mapping[str, bytes], record: dict[str, Any]) -> None:
    if not folder.exists(RECORD):
        for name in files:
            if folder.exists(name):
                raise DataError(f"{folder.uri}/{name}: there is a file already that was not generated here; choose another folder")
    for name, data in files.items():
        folder.write_bytes(name, data)
    record["files"] = {name: len(data) for name, data in files.items()}
    folder.write_bytes(RECORD, json.dumps(record, indent=1).encode())


def _record(one: Drawn, about: Mapping[str, Any], error: G3drError | None, seconds: float) -> dict[str, Any]:
    return {
        **about,
        "subject": one.subject,
        "seed": one.seed,
        "candidates": list(one.candidates),
        "judge": one.judge,
        "error": None if error is None else str(error),
        "seconds_of_reconstruction": round(seconds, 2),
    }


def _stacked(sheets: Sequence[UInt8[np.ndarray, "_height _width 3"]]) -> UInt8[np.ndarray, "height width 3"]:
    """Puts the sheets of objects, which are all of one size, below each other."""
    return np.concatenate(sheets)


def grid(drawn: Sequence[Drawn], most_rows: int) -> bytes:
    """Returns a sheet of pictures as a PNG: a column for each subject, or rows of eight where there is but one."""
    subjects = list(dict.fromkeys(one.subject for one in drawn))
    columns = [[one.picture for one in drawn if one.subject == subject] for subject in subjects]
    labels = subjects
    if len(subjects) == 1:
        columns = [columns[0][start::_COLUMNS] for start in range(min(_COLUMNS, len(columns[0])))]
        labels = [""] * len(columns)
    blank = np.full_like(drawn[0].picture, 255)
    rows = [[column[row] if row < len(column) else blank for column in columns] for row in range(min(most_rows, len(columns[0])))]
    return encode_image(contact_sheet(rows, labels, max(1, _READABLE_SIDE // blank.shape[0])))
