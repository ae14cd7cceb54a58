"""How an upscaler learns: from pictures, whose halves it is shown."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from g3dr.config import TrainingConfig
from g3dr.export.orbit import to_bytes
from g3dr.export.pictures import contact_sheet
from g3dr.metrics.pictures import psnr
from g3dr.training.chance import StepChance, derived_generator
from g3dr.training.learning import Advance, Assessment, Learner
from g3dr.types import Batch
from g3dr.upscaling.config import UpscalerConfig
from g3dr.upscaling.network import Upscaler, bicubic, halved

SHOWN_PICTURES = 6


class UpscalerLearner(Learner):
    """Learns to undo the halving of pictures; see `Learner`.

    Args:
        config: The network's size.
        training: Not read; the trainer does.
    """

    network: Upscaler
    config: UpscalerConfig

    def __init__(self, config: UpscalerConfig, training: TrainingConfig) -> None:  # noqa: ARG002 (every learner takes it)
        super().__init__()
        self.config = config
        self.network = Upscaler(config)

    def initialize(self, seed: int) -> None:
        """See `Learner`."""
        self.network.initialize(derived_generator("cpu", seed))

    def forward(self, batch: Batch, chance: StepChance, step: int) -> dict[str, Tensor]:  # noqa: ARG002 (nothing is drawn)
        """Returns the mean absolute difference of colours to the large pictures: L1 keeps edges sharper than squares do."""
        return {"loss": functional.l1_loss(self.network(halved(batch.images)), batch.images)}

    @torch.inference_mode()
    def assess(self, batches: Iterable[Batch], seed: int, advance: Advance) -> Assessment:  # noqa: ARG002 (nothing is drawn)
        """Compares the network's pictures and bicubic ones with the true ones.

        Returns:
            `psnr` and `bicubic_psnr`, decibels, each a mean over images, and `psnr_gain`, their difference.
        """
        self.network.eval()
        measured: dict[str, list[float]] = {"psnr": [], "bicubic_psnr": [], "psnr_gain": []}
        keys: list[str] = []
        species: list[str] = []
        rows: list[list[UInt8[np.ndarray, "_h _w 3"]]] = []
        for batch in batches:
            pictures = self._pictures(batch.images)
            ours, plain = (psnr(pictures[name], batch.images).tolist() for name in ("network", "bicubic"))
            measured["psnr"] += ours
            measured["bicubic_psnr"] += plain
            measured["psnr_gain"] += [one - other for one, other in zip(ours, plain, strict=True)]
            keys += batch.keys
            species += batch.species
            rows += _rows(pictures, SHOWN_PICTURES - len(rows))
            advance(len(keys))
        means = {name: float(np.mean(values)) for name, values in measured.items()}
        sheet = contact_sheet(rows, ["half the size", "bicubic", "network", "true"])
        return Assessment(means, measured, keys, species, {"pictures at twice their size": sheet})

    def _pictures(self, images: Float[Tensor, "batch 3 height width"]) -> dict[str, Float[Tensor, "batch 3 height width"]]:
        small = halved(images)
        shown = functional.interpolate(small, scale_factor=2, mode="nearest")
        return {"small": shown, "bicubic": bicubic(small), "network": self.network(small), "true": images}


def _rows(pictures: Mapping[str, Float[Tensor, "batch 3 height width"]], count: int) -> list[list[UInt8[np.ndarray, "_h _w 3"]]]:
    columns = [to_bytes(images[: max(0, count)]) for images in pictures.values()]
    return [list(row) for row in zip(*columns, strict=True)]
