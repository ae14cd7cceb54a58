"""How the depth network is trained and judged."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from g3dr.config import TrainingConfig
from g3dr.depth.accuracy import beside_simple_answers, fitted
from g3dr.depth.augmentation import augment
from g3dr.depth.config import DepthNetworkConfig
from g3dr.depth.disparity import disparity_of
from g3dr.depth.network import DepthNetwork
from g3dr.depth.ssi_loss import ssi_terms
from g3dr.export.pictures import contact_sheet, depth_picture
from g3dr.training.chance import StepChance
from g3dr.training.learning import Advance, Assessment, Learner
from g3dr.types import Batch

SHOWN = 8
"""Pictures on a sheet."""


class DepthLearner(Learner):
    """Learns disparity from pictures with depth, disguised anew at every step.

    Args:
        config: The network and the disguises.
        training: Not read; every learner takes it.
    """

    network: DepthNetwork

    def __init__(self, config: DepthNetworkConfig, training: TrainingConfig) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.average_decay = config.average_decay
        self.network = DepthNetwork(config)

    def initialize(self, seed: int) -> None:
        """Takes the encoder's ImageNet weights and draws those of the decoder.

        Raises:
            WeightsMissingError: The ImageNet weights are nowhere.
        """
        self.network.initialize(seed)

    def forward(self, batch: Batch, chance: StepChance, step: int) -> dict[str, Tensor]:  # noqa: ARG002 (disguises do not change with time)
        """Returns `loss` and its terms, means over the part of the batch."""
        with torch.no_grad():
            images, truth = augment(batch.images, disparity_of(batch.depths), chance, self.config)
        estimate: Tensor = self.network.decoded([self._withheld(stage, chance) for stage in self.network.encoder(images)])
        return ssi_terms(
            estimate.float(),
            truth,
            gradient_weight=self.config.gradient_weight,
            gradient_scales=self.config.gradient_scales,
            trim=self.config.trim,
        )

    def _withheld(self, stage: Float[Tensor, "batch channel _height _width"], chance: StepChance) -> Tensor:
        """Takes some channels of each picture away and makes the others larger, so that their mean stays."""
        share = self.config.withheld
        if share == 0:
            return stage
        kept: Tensor = chance.uniform(stage.shape[1], 1, 1) >= share
        return torch.where(kept, stage / (1 - share), 0.0)

    def assess(self, batches: Iterable[Batch], seed: int, advance: Advance) -> Assessment:
        """Measures the network on pictures as they are, and under `disguised_...` on the same pictures in disguise.

        Args:
            batches: Held-out pictures.
            seed: Of the disguises.
            advance: Told how many pictures are done.

        Returns:
            Figures of `g3dr.depth.accuracy.beside_simple_answers`, means over pictures.
        """
        tally = _Tally()
        self.network.eval()
        with torch.no_grad():
            for number, batch in enumerate(batches):
                truth = disparity_of(batch.depths)
                tally.names(batch)
                tally.add("", batch.images, truth, self.network(batch.images))
                images, moved = augment(batch.images, truth, self._chance(seed, number, batch), self.config)
                tally.add("disguised_", images, moved, self.network(images))
                advance(tally.images)
        return tally.assessment()

    @staticmethod
    def _chance(seed: int, number: int, batch: Batch) -> StepChance:
        return StepChance(seed, number, range(len(batch.keys)), batch.images.device)


class _Tally:
    """Collects figures of many pictures, and sheets of the first few."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._species: list[str] = []
        self._values: dict[str, list[float]] = {}
        self._rows: dict[str, list[list[UInt8[np.ndarray, "height width 3"]]]] = {"": [], "disguised_": []}

    @property
    def images(self) -> int:
        """How many pictures there are."""
        return len(self._keys)

    def names(self, batch: Batch) -> None:
        """Notes whose figures come next."""
        self._keys.extend(batch.keys)
        self._species.extend(batch.species)

    def add(self, prefix: str, images: Tensor, truth: Tensor, estimate: Tensor) -> None:
        """Notes the figures of some pictures."""
        estimate = estimate.float()
        for name, values in beside_simple_answers(estimate, truth).items():
            self._values.setdefault(prefix + name, []).extend(values.tolist())
        rows = self._rows[prefix]
        rows.extend(sheet_rows(images, truth, estimate, SHOWN - len(rows)))

    def assessment(self) -> Assessment:
        """Returns what was collected."""
        captions = {"": "Held-out pictures", "disguised_": "The same in disguise"}
        labels = ("picture", "true disparity", "estimate, fitted")
        return Assessment(
            metrics={name: float(np.mean(values)) for name, values in self._values.items() if values},
            per_image=self._values,
            keys=tuple(self._keys),
            species=tuple(self._species),
            pictures={captions[prefix]: contact_sheet(rows, labels) for prefix, rows in self._rows.items() if rows},
        )


def sheet_rows(
    images: Float[Tensor, "batch 3 height width"],
    truth: Float[Tensor, "batch 1 height width"],
    estimate: Float[Tensor, "batch 1 height width"],
    most: int,
) -> Sequence[list[UInt8[np.ndarray, "height width 3"]]]:
    """Returns for each of the first pictures: itself, its true disparity, and the estimate in the same colours."""
    rows = []
    for picture, wanted, found in list(zip(images, truth, fitted(estimate, truth), strict=True))[: max(0, most)]:
        rgb = ((picture.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
        low, high = float(wanted.min()), float(wanted.max()) + 1e-6
        rows.append([rgb, *(depth_picture(-one[0].cpu().numpy(), -high, -low) for one in (wanted, found))])
    return rows


def summary(assessment: Assessment) -> Mapping[str, tuple[float, float, float]]:
    """Returns for each figure those of the network, of a constant and of a vertical ramp."""
    metrics = assessment.metrics
    plain = [name for name in metrics if not name.endswith(("_of_mean", "_of_ramp"))]
    return {name: (metrics[name], metrics[f"{name}_of_mean"], metrics[f"{name}_of_ramp"]) for name in plain}
