"""Where the weights of a depth model lie: a folder with `config.json` and safetensors, as the hub gives them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g3dr.backbones.finding import ALLOW_DOWNLOAD, downloads_allowed
from g3dr.backbones.places import sha256_of
from g3dr.depth.estimator import Measure
from g3dr.depth.model_kinds import Kind, measure_of
from g3dr.errors import CheckpointError, WeightsMissingError

FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
"""What a model consists of here; pickled weights, which may run code, are never opened."""


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
        config = dict(json.loads((_whole(folder) / "config.json").read_bytes()))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{folder}/config.json: not the configuration of a model") from error
    return DepthModel(folder, str(config.get("model_type")), measure_of(config, kind), fingerprint(folder))


def model_folder(name: str, revision: str | None = None) -> Path:
    """Returns the folder of a model: a folder of this machine as it is, a hub name from the hub's cache or, if allowed, from the hub.

    Args:
        name: A folder, or a hub name such as `owner/model`.
        revision: Commit, tag or branch of a hub name.

    Raises:
        WeightsMissingError: It is not there, or not whole; says what to do.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _whole(folder)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise WeightsMissingError(
            f"{name}: no such folder; a depth model is a folder with {', '.join(FILES[:3])}, or a hub name OWNER/MODEL"
        )
    return _whole(_from_hub(name, revision))


def fingerprint(folder: Path) -> str:
    """Returns the first 16 hex digits of a SHA-256 over the names and contents of a model's files; independent of where they lie."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        digest.update(f"{path.name}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()[:16]


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 (slow to import)

    options: dict[str, Any] = {"revision": revision, "allow_patterns": list(FILES)}
    try:
        return Path(snapshot_download(name, local_files_only=not downloads_allowed(), **options))
    except Exception as error:  # the client raises its own and its transport's families of errors
        at = f"{name}@{revision}" if revision else name
        tried = f" A download was tried and failed: {error}" if downloads_allowed() else ""
        raise WeightsMissingError(
            f"The depth model {at} is not on this machine: fetch its files ({', '.join(FILES[:3])}) and name their folder or "
            f"s3://bucket/prefix instead, or set {ALLOW_DOWNLOAD}=1 to let this program fetch it from the hub.{tried}"
        ) from error


def _whole(folder: Path) -> Path:
    for pattern in FILES[:3]:
        if not any(folder.glob(pattern)):
            more = " (pickled weights are not opened: convert them)" if pattern == "*.safetensors" and any(folder.glob("*.bin")) else ""
            raise WeightsMissingError(f"{folder}: no {pattern} here{more}; a depth model is a folder with {', '.join(FILES[:3])}")
    return folder
