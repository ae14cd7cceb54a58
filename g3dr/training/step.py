"""The loss of one training step [P, section 3.3]: the input view is rendered, or a view from elsewhere.

Shape legend: ray counts those of one image; pixels are row major.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.conditioning import UNKNOWN
from g3dr.config import TrainingConfig
from g3dr.losses import Objective, Progress, Terms
from g3dr.losses.schedules import novel_chance, novel_yaw_divisor
from g3dr.model import G3DR
from g3dr.render import NodeTable, RaySampling
from g3dr.render.limits import points_in_box
from g3dr.training.chance import StepChance
from g3dr.types import Batch, Rays

RAY_POINTS = 4  # per ray, for the term ray_rgb: an eighth of the samples that a small rendering takes


class TrainingStep(nn.Module):
    """From a batch to its loss terms; the module that is wrapped when several workers train together.

    Args:
        model: The model.
        objective: The losses.
        config: The training's settings.
    """

    def __init__(self, model: G3DR, objective: Objective, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self._objective, self._config = model, objective, config

    def forward(self, batch: Batch, chance: StepChance, step: int) -> dict[str, Tensor]:
        """Returns the unweighted terms that count at `step`, and `loss`, their weighted sum.

        Canonical terms keep their names; those of novel views start with `novel_`. Beside them stand the other forms of the terms, where
        the objective was asked for them.
        """
        progress = Progress(step, self._config.steps)
        novel = chance.shared_uniform() < novel_chance(step, self._config.steps, self._config.novel_probability)
        table = self._encode(batch, chance)
        terms = self._novel(table, batch, chance, progress) if novel else self._canonical(table, batch, chance, progress)
        prefix = "novel_" if novel else ""
        reported = {**terms.values, **terms.other_forms}
        return {"loss": terms.total(), **{f"{prefix}{name}": value for name, value in reported.items()}}

    def _encode(self, batch: Batch, chance: StepChance) -> NodeTable:
        conditioning = self.model.condition(batch.images, self._names(batch, chance), self._objective.recall(batch.digests))
        half = self._config.precision == "bfloat16"
        with torch.autocast(batch.images.device.type, dtype=torch.bfloat16, enabled=half):
            return self.model.encode(batch.images, batch.depths, conditioning)

    def _names(self, batch: Batch, chance: StepChance) -> Sequence[str]:
        """Returns the species, some of them withheld, so that the model also learns to do without."""
        config = self.model.config.conditioning
        if not config.uses_names or config.withheld == 0:
            return batch.species
        withheld = (chance.uniform() < config.withheld).tolist()
        return [UNKNOWN if hidden else name for name, hidden in zip(batch.species, withheld, strict=True)]

    def _canonical(self, table: NodeTable, batch: Batch, chance: StepChance, progress: Progress) -> Terms:
        resolution = batch.images.shape[-1]
        whole = self._objective.needs_frame(progress, novel=False) or self._config.rays_per_image is None
        pixels = None if whole else chance.choose(resolution**2, min(self._config.rays_per_image or 0, resolution**2))
        rays = _input_rays(batch, pixels)
        depth = _at_pixels(batch.depths, pixels)[..., 0]
        rendering = self.model.render(table, rays, self._canonical_sampling(rays, depth, chance, progress))
        recall = self._objective.recall(batch.digests)
        semantics = self._objective.semantic_target(batch.images, self.model.config.conditioning.semantic_channels, recall)
        return self._objective.canonical(
            rendering,
            _at_pixels(batch.images, pixels),
            depth,
            progress,
            frame=rendering.frames(resolution, resolution).rgb if whole else None,
            images=batch.images if whole else None,
            point_rgb=self._point_rgb(table, rays, chance),
            semantics=None if semantics is None else _at_pixels(semantics, pixels),
            recall=recall,
        )

    def _point_rgb(self, table: NodeTable, rays: Rays, chance: StepChance) -> Float[Tensor, "batch ray point 3"] | None:
        """Returns the colours at random points of each ray, in [-1, 1]; None where no term looks at them."""
        if self._objective.config.ray_rgb.weight == 0:
            return None
        points = points_in_box(rays, chance.uniform(rays.origins.shape[1], RAY_POINTS))
        return self.model.values_at(table, points.flatten(1, 2))[..., 1:].reshape(points.shape) * 2 - 1

    def _canonical_sampling(self, rays: Rays, depth: Tensor, chance: StepChance, progress: Progress) -> RaySampling:
        regularized = self._config.depth_regularization and progress.step >= self._config.depth_regularization_start * progress.steps
        windows = self._config.depth_importance > 0
        return RaySampling(
            **self._noise(rays, chance),
            window_depth=depth if windows else None,
            window_mask=chance.uniform() < self._config.depth_importance if windows else None,
            regularization_depth=depth if regularized else None,
        )

    def _novel(self, table: NodeTable, batch: Batch, chance: StepChance, progress: Progress) -> Terms:
        resolution = self._config.novel_resolution or batch.images.shape[-1]
        divisor = novel_yaw_divisor(progress.step, progress.steps, self._config.novel_yaw_divisors)
        offsets = chance.uniform(2) * 2 - 1
        yaw = math.pi / 2 + offsets[:, 0] * math.pi / divisor
        pitch = math.pi / 2 + offsets[:, 1] * math.pi / self._config.novel_pitch_divisor
        rays = camera_rays(camera_to_world(yaw, pitch), resolution)
        rendering = self.model.render(table, rays, RaySampling(**self._noise(rays, chance)))
        frames = rendering.frames(resolution, resolution)
        return self._objective.novel(frames, batch.images, progress, recall=self._objective.recall(batch.digests))

    def _noise(self, rays: Rays, chance: StepChance) -> dict[str, Tensor | None]:
        """Draws the jitter of the coarse samples and the quantiles of the fine ones."""
        renderer, count = self.model.config.renderer, rays.origins.shape[1]
        fine = chance.uniform(count, renderer.fine_samples) if renderer.fine_samples else None
        return {"jitter": chance.uniform(count, renderer.coarse_samples), "fine_uniform": fine}


def _input_rays(batch: Batch, pixels: Int[Tensor, "batch ray"] | None) -> Rays:
    """Returns the rays of the input camera through all pixels, or through the given ones."""
    count, _, resolution, _ = batch.images.shape
    yaw, pitch = frontal_pose(1)
    rays = camera_rays(camera_to_world(yaw.to(batch.images), pitch.to(batch.images)), resolution)
    origins, directions = (tensor.expand(count, -1, -1) for tensor in (rays.origins, rays.directions))
    if pixels is None:
        return Rays(origins, directions)
    index = pixels[..., None].expand(-1, -1, 3)
    return Rays(origins.gather(1, index), directions.gather(1, index))


def _at_pixels(
    pictures: Float[Tensor, "batch channel height width"], pixels: Int[Tensor, "batch ray"] | None
) -> Float[Tensor, "batch ray channel"]:
    flat = pictures.flatten(2).transpose(1, 2)
    return flat if pixels is None else flat.gather(1, pixels[..., None].expand(-1, -1, flat.shape[-1]))
