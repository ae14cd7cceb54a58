"""Frames as bytes, at twice their size."""

from typing import Protocol

import numpy as np
import torch
from jaxtyping import UInt8

from g3dr.export.orbit import to_bytes
from g3dr.upscaling.network import Upscaler, bicubic


class Enlarger(Protocol):
    """Doubles the sides of a picture."""

    def __call__(self, picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "large_height large_width 3"]:
        """Returns the picture at twice its size."""


class FrameUpscaler:
    """Doubles the sides of pictures by a network, or by cubic interpolation without one.

    Args:
        network: On the device where it computes; None for cubic interpolation.
    """

    def __init__(self, network: Upscaler | None = None) -> None:
        self._enlarge = bicubic if network is None else network.eval()
        self._device = torch.device("cpu") if network is None else next(network.parameters()).device

    @torch.inference_mode()
    def __call__(self, picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "large_height large_width 3"]:
        """Returns the picture at twice its size."""
        colors = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] / 127.5 - 1
        large: UInt8[np.ndarray, "large_height large_width 3"] = to_bytes(self._enlarge(colors.to(self._device)))[0]
        return large
