"""Where a public diffusion model lies: a folder in the format of the diffusers library, `model_index.json` with a folder for each part."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g3dr.backbones.model_folders import FolderKind, fingerprint, whole
from g3dr.errors import CheckpointError, WeightsMissingError

INDEX = "model_index.json"


def _check_parts(folder: Path) -> None:
    """Every part that has a configuration of a network needs weights.

    Raises:
        WeightsMissingError: A part lacks its weights, or is not there at all.
    """
    for name in _parts(read_pipeline_index(folder)):
        part = folder / name
        if not part.is_dir():
            raise WeightsMissingError(f"{folder}: {INDEX} names the part {name}, but there is no such folder")
        if (part / "config.json").is_file() and not any(part.glob("*.safetensors")):
            more = " (pickled weights are not opened: convert them)" if any(part.glob("*.bin")) else ""
            raise WeightsMissingError(f"{folder}: the part {name} has no *.safetensors{more}; fetch them into {part}")


PIPELINE = FolderKind(
    title="diffusion model",
    cache="diffusion",
    files=(INDEX, "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model"),
    needed=(INDEX, "*/*.safetensors"),
    left_out=("*.fp16.*", "*.non_ema.*"),
    check=_check_parts,
)
"""What such a model consists of here; pickled weights, and code that comes with it, are never opened."""


@dataclass(frozen=True)
class PipelineFolder:
    """A diffusion model that is on this machine and was not loaded yet.

    Attributes:
        folder: Its files.
        pipeline: Name of its class in diffusers, such as `DiTPipeline`.
        fingerprint: Stands for its configuration and weights, wherever they lie.
    """

    folder: Path
    pipeline: str
    fingerprint: str


def read_pipeline(folder: Path) -> PipelineFolder:
    """Reads what a diffusion model is, without loading it.

    Raises:
        WeightsMissingError: A file is missing.
        CheckpointError: Its index cannot be read, or it needs code of its own.
    """
    index = read_pipeline_index(whole(folder, PIPELINE))
    return PipelineFolder(folder, str(index["_class_name"]), fingerprint(folder, PIPELINE))


def read_pipeline_index(folder: Path) -> dict[str, Any]:
    """Reads `model_index.json`.

    Raises:
        CheckpointError: It is no index, or names code that comes with the model.
    """
    try:
        index = dict(json.loads((folder / INDEX).read_bytes()))
    except (ValueError, TypeError, OSError) as error:
        raise CheckpointError(f"{folder}/{INDEX}: not the index of a diffusion model") from error
    if not isinstance(index.get("_class_name"), str):
        raise CheckpointError(f"{folder}/{INDEX}: names no pipeline of diffusers; code that comes with a model is not run")
    return index


def _parts(index: dict[str, Any]) -> list[str]:
    """Returns the names of the parts that are there: entries are [library, class], with null for a part that was left out."""
    return [name for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str)]
