"""From the bytes of one photograph to the files of an object: a model and a depth estimator that stay in memory between photographs."""

import re
import time
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from g3dr.errors import DataError
from g3dr.pictures import decode_image, encode_image
from orchestrator.checkpoints import find, open_model
from orchestrator.demo.helpers import Helpers
from orchestrator.demo.line import Report, Result
from orchestrator.depth.asking import EstimatorStoppedError
from orchestrator.depth.naming import short_name
from orchestrator.photographs import RgbdPicture
from orchestrator.photographs.completing import estimated
from orchestrator.photographs.reading import not_heic
from orchestrator.store import Store

if TYPE_CHECKING:
    import torch

    from g3dr.model import G3DR
    from orchestrator.reconstruction import ReconstructionOptions

LONGEST_NAME = 60
DEPTH_SHOWN = 256
"""Side of the depth picture beside the object, pixels; models see fewer."""


@dataclass(frozen=True)
class Photo:
    """What somebody wants to be reconstructed.

    Attributes:
        name: Of the file, as it came.
        data: Its content.
        model: As `orchestrator.checkpoints.find` takes it.
        alone: Cut the object out.
    """

    name: str
    data: bytes
    model: str
    alone: bool = False


class Studio:
    """Reconstructs one photograph at a time; keeps one model and one of each helper.

    Args:
        root: Where results are.
        helpers: Who estimates depth, and who finds the object.
        options: How objects leave the model.
        device: Where it computes.
    """

    def __init__(self, root: Store, helpers: Helpers, options: "ReconstructionOptions", device: "torch.device") -> None:
        self._root, self._helpers, self._options, self._device = root, helpers, options, device
        self._model: tuple[tuple[str, str], G3DR] | None = None

    def prepare(self, model: str) -> None:
        """Reads the model and makes the estimator, while the first page opens.

        Raises:
            G3drError: One of the two is not there.
        """
        self._model_named(model)
        self._helpers.depth.made()

    def reconstruct(self, photo: Photo, report: Report) -> Result:
        """Turns a photograph into the files of `g3dr reconstruct`, and pictures of what the model was given.

        Args:
            photo: Any common picture file.
            report: See `orchestrator.demo.line.Report`.

        Raises:
            DataError: The file is no picture, or the model sees nothing solid in it.
            G3drError: The model or the estimator is missing.
        """
        start, name = time.monotonic(), file_name(photo.name)
        report("reading the photograph", 0.0)
        image = opened(photo.data)
        report("reading the model", 0.0)
        model = self._model_named(photo.model)
        report("estimating its depth", 0.0)
        picture = self._with_depth(image)
        if photo.alone:
            report("finding the object", 0.0)
            picture = self._with_mask(picture)
        files = self._object(model, name, picture, report)
        resolution = model.config.generator.resolution
        facts = {
            "name": name,
            "model": photo.model,
            "resolution": resolution,
            "estimator": self._helpers.depth.name,
            "seconds": round(time.monotonic() - start, 1),
        }
        return Result({**files, **given(name, picture, resolution)}, facts)

    def _object(self, model: "G3DR", name: str, picture: RgbdPicture, report: Report) -> dict[str, bytes]:
        from orchestrator.reconstruction import Reconstructor  # noqa: PLC0415  (brings torch)

        options = self._options if picture.mask is None else replace(self._options, background="remove")

        def told(done: int, _: int) -> None:
            report("looking at it from all sides", done / options.frames)

        # Two pictures, because more may follow: what is computed from weights alone is then kept with the model.
        return Reconstructor(model, options, told, pictures=2).files(name, picture)

    def _with_depth(self, image: NDArray[np.uint8]) -> RgbdPicture:
        estimator = self._helpers.depth.made()
        try:
            (depth,) = estimated([image], estimator)
        except EstimatorStoppedError as error:  # whose sentence is one for long runs over many pictures
            reason = f"{self._helpers.depth.name} stopped ({error.__cause__!r})"
            raise DataError(f"{reason}; try again, or choose another photograph") from error
        if isinstance(depth, DataError):
            raise depth
        return RgbdPicture(image, depth, None, depth_from=short_name(estimator.identity()))

    def _with_mask(self, picture: RgbdPicture) -> RgbdPicture:
        if self._helpers.background is None:
            raise DataError("nobody is here to find the object; `g3dr reconstruct --mask` takes a mask of your own")
        model = self._helpers.background.made()
        return replace(picture, mask=model.mask(picture.image), mask_from=model.name)

    def _model_named(self, name: str) -> "G3DR":
        """Returns a model; the newest checkpoint, if there is a newer one by now."""
        store, path = find(name, self._root)
        place = (store.uri, path)
        if self._model is None or self._model[0] != place:
            self._model = None  # one at a time in memory
            self._model = (place, open_model(name, self._root)().to(self._device))
        return self._model[1]


def opened(data: bytes) -> NDArray[np.uint8]:
    """Returns the picture of a file, upright.

    Raises:
        DataError: It is none, or a damaged one.
    """
    try:
        return decode_image(not_heic(data))
    except DataError as error:
        raise DataError(f"this file cannot be used: {error}") from error


def file_name(given_name: str) -> str:
    """Returns a name for files that is safe everywhere, from that of a photograph."""
    stem = PurePath(given_name.replace("\\", "/")).stem
    return re.sub(r"[^\w-]+", "_", stem, flags=re.ASCII).strip("_")[:LONGEST_NAME] or "photo"


def given(name: str, picture: RgbdPicture, resolution: int) -> dict[str, bytes]:
    """Returns pictures of what the model was given: the square that it sees, with its own pixels, and the estimated depth in colour."""
    from g3dr.export.pictures import depth_picture  # noqa: PLC0415  (brings matplotlib)

    depth = picture.depth_at(DEPTH_SHOWN)
    near, far = float(depth.min()), float(max(depth.max(), depth.min() + 1e-3))
    shown = {"input": picture.image_at(resolution), "depth": depth_picture(depth, near, far)}
    return {f"{name}_{kind}.png": encode_image(pixels) for kind, pixels in shown.items()}
