"""Where the weights of a depth model lie: a folder with `config.json` and safetensors, as the hub gives them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g3dr.backbones.model_folders import FolderKind, fingerprint, folder_of, whole
from g3dr.depth.estimator import Measure
from g3dr.depth.model_kinds import Kind, measure_of
from g3dr.errors import CheckpointError

DEPTH_MODEL = FolderKind(
    title="depth model",
    cache="depth",
    files=("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"),
    needed=("config.json", "preprocessor_config.json", "*.safetensors"),
)
"""What a model consists of here."""


@dataclass(frozen=True)
class DepthModel:
    """A depth model that is on this machine and was not loaded yet.

    Attributes:
        folder: Its files.
        architecture: What transformers calls its type, such as `depth_anything`.
        measure: What its maps mean.
        fingerprint: Stands for its configuration and weights, wherever they lie.
    """

    folder: Path
    architecture: str
    measure: Measure
    fingerprint: str

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return {
            "name": "transformers",
            "architecture": self.architecture,
            "weights": self.fingerprint,
            "quantity": self.measure.quantity,
        }


def read_model(folder: Path, kind: Kind | None = None) -> DepthModel:
    """Reads what a model is, without loading it.

    Args:
        folder: Its files, see `model_folder`.
        kind: What its maps mean; None to go by the architecture.

    Raises:
        WeightsMissingError: A file is missing.
        CheckpointError: Its configuration cannot be read.
        ConfigError: `kind` is needed.
    """
    try:
        config = dict(json.loads((whole(folder, DEPTH_MODEL) / "config.json").read_bytes()))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{folder}/config.json: not the configuration of a model") from error
    return DepthModel(folder, str(config.get("model_type")), measure_of(config, kind), fingerprint(folder, DEPTH_MODEL))


def model_folder(name: str, revision: str | None = None) -> Path:
    """Returns the folder of a model: a folder of this machine as it is, a hub name from the hub's cache or, if allowed, from the hub.

    Args:
        name: A folder, or a hub name such as `owner/model`.
        revision: Commit, tag or branch of a hub name.

    Raises:
        WeightsMissingError: It is not there, or not whole; says what to do.
    """
    return folder_of(name, DEPTH_MODEL, revision)
