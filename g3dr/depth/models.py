"""Depth models of the transformers library: Depth Anything, DPT and MiDaS, ZoeDepth, GLPN, and whatever has the same interface."""

from collections.abc import Mapping, Sequence
from copy import copy
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from g3dr.depth.estimator import Measure, Picture
from g3dr.depth.model_folder import DepthModel
from g3dr.errors import CheckpointError, DataError, WeightsMissingError

# The deepest fusion layer has nothing to be fused with; published checkpoints leave these weights out, and nothing reads them.
_UNUSED = "fusion_stage.layers.0.residual_layer1."
_SIDE_OF_OTHERS = 480  # of models that take pictures as they come, such as GLPN: what they were trained with


class ModelEstimator:
    """A depth model with its image processor, in memory.

    Args:
        model: What and where it is.
        device: Where it computes.

    Raises:
        WeightsMissingError: transformers is not installed.
        CheckpointError: transformers cannot load the files, or they lack weights.
    """

    def __init__(self, model: DepthModel, device: torch.device | str = "cpu") -> None:
        self._described, self._device = model, torch.device(device)
        self._network, self._processor = _load(model.folder)
        self._network.to(self._device)
        self._shown: int | None = None

    @property
    def measure(self) -> Measure:
        """See `DepthEstimator`."""
        return self._described.measure

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return self._described.identity()

    @property
    def side(self) -> int:
        """See `ScalableEstimator`; as its image processor says."""
        return self._shown or self._usual_side() or _SIDE_OF_OTHERS

    def at(self, side: int) -> "ModelEstimator":
        """See `ScalableEstimator`; the network is shared."""
        other = copy(self)
        other._shown = side
        return other

    def _usual_side(self) -> int | None:
        size = getattr(self._processor, "size", None) or {}
        return min(size["height"], size["width"]) if "height" in size and "width" in size else None

    def estimate(self, pictures: Sequence[Picture]) -> list[Float[np.ndarray, "_height _width"]]:
        """See `DepthEstimator`; pictures that the model sees at one size are computed together."""
        pixels = [self._pixels(picture) for picture in pictures]
        found: dict[int, Float[np.ndarray, "_height _width"]] = {}
        for shape in dict.fromkeys(one.shape for one in pixels):
            chosen = [number for number, one in enumerate(pixels) if one.shape == shape]
            sizes = [(pictures[number].rgb.shape[0], pictures[number].rgb.shape[1]) for number in chosen]
            found.update(zip(chosen, self._maps(torch.stack([pixels[number] for number in chosen]), sizes), strict=True))
        return [found[number] for number in range(len(pictures))]

    def _pixels(self, picture: Picture) -> Float[Tensor, "3 _height _width"]:
        try:
            rgb, options = self._as_shown(picture.rgb)
            pixels: Tensor = self._processor(images=rgb, return_tensors="pt", input_data_format="channels_last", **options)["pixel_values"][
                0
            ]
        except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
            height, width = picture.rgb.shape[:2]
            raise DataError(f"the model's image processor fails on a picture of {width} x {height} ({_first_line(error)})") from error
        return pixels

    def _as_shown(self, rgb: UInt8[np.ndarray, "height width 3"]) -> tuple[UInt8[np.ndarray, "_height _width 3"], dict[str, Any]]:
        """Returns what the processor gets: it resizes by itself, or takes the picture as it comes."""
        if self._shown is None:
            return rgb, {}
        if self._usual_side() is not None:
            return rgb, {"size": {"height": self._shown, "width": self._shown}}
        height, width = (round(size * self._shown / min(rgb.shape[:2])) for size in rgb.shape[:2])
        return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC)), {}

    @torch.inference_mode()
    def _maps(self, pixels: Float[Tensor, "batch 3 height width"], sizes: list[tuple[int, int]]) -> list[Float[np.ndarray, "_h _w"]]:
        """Computes the maps of pictures of one size, in parts if they do not fit into memory, and resizes them to `sizes`."""
        try:
            outputs = self._network(pixel_values=pixels.to(self._device))
        except torch.OutOfMemoryError as error:
            if len(sizes) == 1:
                raise DataError(f"a picture of {sizes[0][1]} x {sizes[0][0]} does not fit into the device's memory") from error
            half = len(sizes) // 2
            return self._maps(pixels[:half], sizes[:half]) + self._maps(pixels[half:], sizes[half:])
        resize = self._processor.post_process_depth_estimation
        # ZoeDepth cuts off what its processor has added around the picture, for which it needs the size from before.
        known = {"source_sizes": sizes} if "source_sizes" in signature(resize).parameters else {}
        maps = [one["predicted_depth"] for one in resize(outputs, target_sizes=sizes, **known)]
        # Some processors squeeze sides of one pixel away.
        return [one.float().cpu().numpy().reshape(size) for one, size in zip(maps, sizes, strict=True)]


def _load(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoImageProcessor, AutoModelForDepthEstimation  # noqa: PLC0415 (slow to import, and optional)
        from transformers.utils import logging  # noqa: PLC0415
    except ImportError as error:
        raise WeightsMissingError(
            "Depth models need the package transformers, which is not installed: pip install 'g3dr-orchestrator[depth]'"
        ) from error
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = AutoImageProcessor.from_pretrained(folder, **options)
        model, report = AutoModelForDepthEstimation.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **options)
    except Exception as error:  # a damaged or foreign folder raises whatever its reader meets first
        raise CheckpointError(f"{folder}: not a depth model that transformers can load ({_first_line(error)})") from error
    missing = sorted(name for name in report["missing_keys"] if _UNUSED not in name)
    if missing:
        raise CheckpointError(f"{folder}: {len(missing)} of the model's weights are not in its files, the first is {missing[0]}")
    return model.eval().requires_grad_(requires_grad=False), processor


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
