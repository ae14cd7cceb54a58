"""From a published file to a checkpoint of ours."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from g3dr.published.moments import moments_by_name
from g3dr.published.reading import PublishedFile, read_published
from g3dr.published.shapes import derive_config
from g3dr.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Imported:
    """A checkpoint, and what is worth saying about the file it came from.

    Attributes:
        checkpoint: The model with its derived configuration, and Adam's moments if they could be mapped.
        file: The file as it was found.
        left_out: Why Adam's moments were left out; empty if they were not.
    """

    checkpoint: Checkpoint
    file: PublishedFile
    left_out: str


def import_published(path: Path, resolution: int | None = None) -> Imported:
    """Reads a published file and checks it tensor by tensor.

    Args:
        path: The file.
        resolution: As in `derive_config`.

    Raises:
        CheckpointError: The file cannot be read or is not a G3DR generator; one sentence says why.
    """
    file = read_published(path)
    config = derive_config({name: tuple(value.shape) for name, value in file.model.items()}, str(path), resolution)
    moments, left_out = _moments(file)
    model = {name: value.float() for name, value in file.model.items()}
    return Imported(Checkpoint(file.step, model, moments, config), file, left_out)


def _moments(file: PublishedFile) -> tuple[dict[str, Tensor], str]:
    if file.optimizer is None:
        return {}, "the file has none"
    if file.others:
        return {}, "the file holds other networks too, so its numbers say nothing about this one"
    return moments_by_name(file.optimizer, {name: tuple(value.shape) for name, value in file.model.items()})
