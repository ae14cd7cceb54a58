"""The depth network in use: the one that is shipped, or one of your own training. `docs/depth_network.md` is its model card."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.depth.config import STRIDE, DepthNetworkConfig
from g3dr.depth.estimator import Measure, Picture
from g3dr.depth.network import DepthNetwork
from g3dr.depth.ssi_loss import normalized
from g3dr.errors import CheckpointError, ConfigError, DataError
from g3dr.networks import network_from_json
from g3dr.training.checkpoint import load_model, read_checkpoint
from g3dr.training.layout import MODEL

SHIPPED = Path(__file__).parent / "weights"
"""The checkpoint that comes with this package; its numbers are kept in 16 bits."""

_LONGEST = 4


class NetworkEstimator:
    """Estimates disparity up to scale and shift, as the mean of two looks (`looks`).

    Args:
        network: With its weights.
        fingerprint: Stands for its weights and configuration.
        device: Where it computes.
        side: Short side at which pictures are looked at, pixels; None for that of its training. Larger shows more detail, and from
            about twice that of the training on less of what belongs together.

    Attributes:
        network: Without gradients, on its device.
        side: As above.
    """

    def __init__(self, network: DepthNetwork, fingerprint: str, device: torch.device | str = "cpu", side: int | None = None) -> None:
        self.network = network.to(device).eval().requires_grad_(requires_grad=False)
        self._fingerprint, self._device = fingerprint, torch.device(device)
        self.side = network.config.resolution if side is None else side
        if self.side < STRIDE or self.side % STRIDE:
            raise ConfigError("side", side, f"a positive multiple of {STRIDE}")

    @classmethod
    def shipped(cls, device: torch.device | str = "cpu", side: int | None = None) -> "NetworkEstimator":
        """Loads the network that comes with this package."""
        return cls.from_folder(SHIPPED, device, side)

    @classmethod
    def from_folder(cls, folder: Path, device: torch.device | str = "cpu", side: int | None = None) -> "NetworkEstimator":
        """Loads a checkpoint of a folder; see `from_files`."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
        return cls.from_files(files, str(folder), device, side)

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], where: str, device: torch.device | str = "cpu", side: int | None = None
    ) -> "NetworkEstimator":
        """Loads a checkpoint of a training.

        Args:
            files: Contents by name, as a training wrote them.
            where: Where they come from, for messages.
            device: Where it will compute.
            side: See the class.

        Raises:
            CheckpointError: They are damaged or incomplete, or are those of another kind of network.
        """
        checkpoint = read_checkpoint(files, where, optimizer=False)
        record = checkpoint.network or {}
        config = network_from_json(record, where) if record else None
        if not isinstance(config, DepthNetworkConfig):
            raise CheckpointError(f"{where}: needed is a checkpoint of a depth network, this is that of another network")
        network = DepthNetwork(config)
        load_model(network, checkpoint.model, where)
        return cls(network, _fingerprint(files[MODEL], record), device, side)

    @property
    def measure(self) -> Measure:
        """See `DepthEstimator`."""
        return Measure("disparity", is_scaled=False)

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return {"name": "network", "weights": self._fingerprint, "side": self.side}

    def at(self, side: int) -> "NetworkEstimator":
        """Returns the same network looking at pictures at another size.

        Raises:
            ConfigError: `side` is not divisible by 32.
        """
        return NetworkEstimator(self.network, self._fingerprint, self._device, side)

    def estimate(self, pictures: Sequence[Picture]) -> list[Float[np.ndarray, "_height _width"]]:
        """See `DepthEstimator`; pictures of one size are computed together."""
        found: dict[int, Float[np.ndarray, "_height _width"]] = {}
        for shape in dict.fromkeys(picture.rgb.shape for picture in pictures):
            chosen = [number for number, picture in enumerate(pictures) if picture.rgb.shape == shape]
            found.update(zip(chosen, self._maps(np.stack([pictures[number].rgb for number in chosen])), strict=True))
        return [found[number] for number in range(len(pictures))]

    @torch.inference_mode()
    def _maps(self, rgb: np.ndarray) -> list[Float[np.ndarray, "_height _width"]]:
        height, width = rgb.shape[1:3]
        if min(height, width) < 1:
            raise DataError(f"a picture of {width} x {height} has no pixels")
        images = torch.from_numpy(rgb).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        maps = sum((self._look(images, side) for side in looks(self.side)), torch.zeros(()))
        return list(maps[:, 0].cpu().numpy())

    def _look(self, images: Float[Tensor, "batch 3 height width"], side: int) -> Float[Tensor, "batch 1 height width"]:
        """Returns maps of pictures that are looked at with `side` pixels, normalised so that several looks can be added."""
        size = images.shape[-2:]
        seen = functional.interpolate(images, working_size(size[0], size[1], side), mode="bilinear", antialias=True)
        return normalized(functional.interpolate(self.network(seen), size, mode="bilinear"))


def looks(side: int) -> tuple[int, int]:
    """Returns the sizes at which a picture is looked at: as asked, and a quarter smaller, where more of it is seen together."""
    return side, max(STRIDE, round(0.75 * side / STRIDE) * STRIDE)


def working_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Returns height and width at which a picture is looked at: the short one is `side`, both are divisible by 32.

    Pictures that are more than four times as long as wide are squeezed.
    """
    short = min(height, width)
    longest = _LONGEST * side
    return tuple(min(longest, round(size * side / short / STRIDE) * STRIDE) for size in (height, width))  # type: ignore[return-value]


def half_precision(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns weights in 16 bits, as they are shipped: half the size, and rounded by less than a thousandth."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _fingerprint(model: bytes, record: Mapping[str, Any]) -> str:
    """Returns the first 16 hex digits of a SHA-256 over weights and recorded configuration."""
    return hashlib.sha256(model + json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
