"""The training objective [G3DR, section 3.3]: which terms count at a step, with which weight.

A term whose weight is zero is never computed. Canonical steps see the input view, novel steps a view from elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.backbones.once import looking_once
from g3dr.backbones.protocols import Backbones, EmbeddingBackbone, StageBackbone
from g3dr.config import LossForm, ObjectiveConfig
from g3dr.errors import ConfigError, DataError
from g3dr.losses import schedules
from g3dr.losses.forms import compare, compare_in_all_forms
from g3dr.losses.pixels import opacity_loss, pooled_rgb, ray_rgb, total_variation
from g3dr.losses.rendered_semantics import semantic_distance, semantic_target
from g3dr.losses.semantic import deep_feature_distance, embeddings
from g3dr.losses.targets import FeatureStore, Recall, look_again
from g3dr.types import Frames, Rendering

NOVEL_STAGES = 2

Computation = Callable[[], Tensor]


@dataclass(frozen=True)
class Progress:
    """Where a training stands: `step` counts from 0 to `steps` - 1."""

    step: int
    steps: int


@dataclass(frozen=True)
class Terms:
    """The terms of one step.

    Attributes:
        values: Unweighted value by name, means over the batch.
        weights: The weight of each at this step; the same names.
        other_forms: What was asked for besides, detached: terms in every form, such as `rgb_as_l2`.
    """

    values: Mapping[str, Tensor]
    weights: Mapping[str, float]
    other_forms: Mapping[str, Tensor] = field(default_factory=dict)

    def total(self) -> Float[Tensor, ""]:
        """Returns the weighted sum: what is minimised; zero where no term counts."""
        return sum((self.weights[name] * value for name, value in self.values.items()), start=torch.zeros(()))


def _at_size_of(pictures: Tensor, other: Tensor) -> Tensor:
    if pictures.shape[-2:] == other.shape[-2:]:
        return pictures
    return functional.interpolate(pictures, other.shape[-2:], mode="bilinear", align_corners=False, antialias=True)


def _given(values: Tensor | None) -> Tensor:
    if values is None:  # unreachable after the checks; keeps the types honest
        raise DataError("A term was computed without what it compares.")
    return values


class Objective:
    """The sum of named terms that a training minimises.

    Args:
        config: Forms and weights.
        backbones: The frozen networks of the `clip`, `perceptual` and `semantics` terms; only those with a weight are needed.
        store: Keeps what these networks see in the input images; None looks again at every step.
        log_forms: Report colour, depth and embeddings in every form, whichever one is minimised.

    Raises:
        ConfigError: A term has a weight and no backbone.
    """

    def __init__(
        self, config: ObjectiveConfig, backbones: Backbones | None = None, store: FeatureStore | None = None, *, log_forms: bool = False
    ) -> None:
        self.config, self.store, self._log_forms = config, store, log_forms
        self.backbones = backbones or Backbones()
        networks = {"clip": self.backbones.semantic, "perceptual": self.backbones.perceptual, "semantics": self.backbones.semantics}
        for name, backbone in networks.items():
            weight = getattr(config, name).weight
            if weight > 0 and backbone is None:
                raise ConfigError(f"objective.{name}.weight", weight, "0 where no backbone is loaded for this term")

    @property
    def semantic_name(self) -> str:
        """Name of the embedding term: `clip`, or `embedding(<network>)` for any other network."""
        backbone = self.backbones.semantic
        return "clip" if backbone is None or backbone.name.startswith("clip") else f"embedding({backbone.name})"

    @property
    def perceptual_name(self) -> str:
        """Name of the deep-feature term: `perceptual`, or `perceptual(<network>)` for anything but LPIPS."""
        backbone = self.backbones.perceptual
        return "perceptual" if backbone is None or backbone.name.startswith("lpips") else f"perceptual({backbone.name})"

    def recall(self, digests: Sequence[bytes]) -> Recall:
        """Returns what finds the features of input images by their digests, or computes them where nothing is kept."""
        return self.store.recall(digests) if self.store is not None and digests else look_again

    @property
    def semantics_name(self) -> str:
        """Name of the term of rendered semantics: `semantics(<network>)`."""
        return f"semantics({self.backbones.semantics.name})" if self.backbones.semantics else "semantics"

    def semantic_target(
        self, images: Float[Tensor, "batch 3 height width"], channels: int, recall: Recall = look_again
    ) -> Float[Tensor, "batch channels height width"] | None:
        """Returns what the rendered semantics of the input view should be; None where the term has no weight.

        Args:
            images: The input images, in [-1, 1].
            channels: Semantic channels of the model.
            recall: Finds what is known of the input images.
        """
        backbone = self.backbones.semantics
        return semantic_target(backbone, images, channels, recall) if backbone and self.config.semantics.weight > 0 else None

    def needs_frame(self, progress: Progress, *, novel: bool) -> bool:
        """Tells whether this step needs a whole rendered picture instead of any set of rays."""
        return novel or any(weight > 0 for weight in self._canonical_semantic_weights(progress).values())

    def canonical(
        self,
        rendering: Rendering,
        target_rgb: Float[Tensor, "batch ray 3"],
        target_depth: Float[Tensor, "batch ray"],
        progress: Progress,
        *,
        frame: Float[Tensor, "batch 3 height width"] | None = None,
        images: Float[Tensor, "batch 3 height width"] | None = None,
        point_rgb: Float[Tensor, "batch ray point 3"] | None = None,
        semantics: Float[Tensor, "batch ray semantic"] | None = None,
        recall: Recall = look_again,
    ) -> Terms:
        """Computes the terms of a step that renders the input view.

        Args:
            rendering: The rendered rays.
            target_rgb: The input image at these rays, in [-1, 1].
            target_depth: The input depth at these rays, world units.
            progress: Where the training stands.
            frame: The rendered picture; needed where `needs_frame` says so.
            images: The input images; needed with `frame`.
            point_rgb: Colours at points of these rays, in [-1, 1]; needed where `ray_rgb` has a weight.
            semantics: Of `semantic_target` at these rays; needed where that term has a weight.
            recall: Finds what is known of the input images.

        Raises:
            DataError: A picture or the colours at points are needed and not given.
        """
        config, semantic = self.config, self._canonical_semantic_weights(progress)
        if any(weight > 0 for weight in semantic.values()) and (frame is None or images is None):
            raise DataError(f"At step {progress.step} of {progress.steps} the objective needs whole rendered pictures and their images.")
        if config.ray_rgb.weight > 0 and point_rgb is None:
            raise DataError("The term ray_rgb needs colours at points of the rays.")
        weights = {
            "rgb": config.rgb.weight,
            "depth": config.depth.weight,
            "ray_rgb": config.ray_rgb.weight,
            **semantic,
            self.semantics_name: config.semantics.weight,
            "opacity": self._opacity_weight(progress),
            "spread": config.spread,
        }
        other_forms: dict[str, Tensor] = {}
        computations: dict[str, Computation] = {
            "rgb": lambda: self._compare("rgb", config.rgb.form, rendering.rgb, target_rgb, other_forms),
            "depth": lambda: self._compare("depth", config.depth.form, rendering.depth, target_depth, other_forms),
            "ray_rgb": lambda: ray_rgb(_given(point_rgb), target_rgb, config.ray_rgb.form),
            self.semantics_name: lambda: self._semantics_term(rendering.semantics, semantics),
            "opacity": lambda: opacity_loss(rendering.opacity),
            "spread": lambda: _given(rendering.spread).mean(),
        }
        if frame is not None and images is not None:
            computations |= self._semantic_computations(frame, images, None, recall, other_forms)
        return self._evaluate(weights, computations, other_forms)

    def novel(
        self, frames: Frames, images: Float[Tensor, "batch 3 height width"], progress: Progress, *, recall: Recall = look_again
    ) -> Terms:
        """Computes the terms of a step that renders another view, compared with the input images where it can be.

        Args:
            frames: The rendered pictures, of any size.
            images: The input images, in [-1, 1].
            progress: Where the training stands.
            recall: Finds what is known of the input images.
        """
        config, other_forms = self.config, dict[str, Tensor]()
        weights = {
            **self._semantic_weights(1.0),
            "tv": config.tv.weight,
            "pooled_rgb": config.pooled_rgb.weight,
            self.semantics_name: config.semantics.weight,
            "opacity": self._opacity_weight(progress),
            "spread": config.spread,
        }
        computations = {
            **self._semantic_computations(frames.rgb, images, NOVEL_STAGES, recall, other_forms),
            "tv": lambda: total_variation(frames.depth, config.tv.form),
            "pooled_rgb": lambda: pooled_rgb(frames.rgb, images, config.pooled_size, config.pooled_rgb.form),
            self.semantics_name: lambda: self._pooled_semantics_term(frames.semantics, images, recall),
            "opacity": lambda: opacity_loss(frames.opacity),
            "spread": lambda: _given(frames.spread).mean(),
        }
        return self._evaluate(weights, computations, other_forms)

    def _evaluate(self, weights: Mapping[str, float], computations: Mapping[str, Computation], other_forms: Mapping[str, Tensor]) -> Terms:
        """Computes what counts; computations leave in `other_forms` what is reported besides."""
        counted = {name: weight for name, weight in weights.items() if weight > 0}
        return Terms({name: self.evaluate_term(name, computations[name]) for name in counted}, counted, other_forms)

    def _compare(self, name: str, form: LossForm, prediction: Tensor, target: Tensor, other_forms: dict[str, Tensor]) -> Tensor:
        if self._log_forms:
            other_forms |= {f"{name}_as_{other}": value for other, value in compare_in_all_forms(prediction, target).items()}
        return compare(form, prediction, target)

    def evaluate_term(self, name: str, computation: Computation) -> Tensor:  # noqa: ARG002 (for those who watch)
        """Computes one term; the place to watch it."""
        return computation()

    def _opacity_weight(self, progress: Progress) -> float:
        return self.config.opacity * schedules.opacity_factor(progress.step, progress.steps)

    def _semantic_weights(self, factor: float) -> dict[str, float]:
        return {self.semantic_name: factor * self.config.clip.weight, self.perceptual_name: factor * self.config.perceptual.weight}

    def _canonical_semantic_weights(self, progress: Progress) -> dict[str, float]:
        return self._semantic_weights(schedules.semantic_factor(progress.step, progress.steps, self.config.semantic_start))

    def _semantic_computations(
        self, frame: Tensor, images: Tensor, stages: int | None, recall: Recall, other_forms: dict[str, Tensor]
    ) -> dict[str, Computation]:
        counted = (self.config.clip.weight, self.config.perceptual.weight)
        networks = looking_once(self.backbones, stages) if all(weight > 0 for weight in counted) else self.backbones
        return {
            self.semantic_name: lambda: self._embedding_term(networks.semantic, frame, images, recall, other_forms),
            self.perceptual_name: lambda: self._perceptual_term(networks.perceptual, frame, images, stages, recall),
        }

    def _embedding_term(
        self, backbone: EmbeddingBackbone | None, frame: Tensor, images: Tensor, recall: Recall, other_forms: dict[str, Tensor]
    ) -> Tensor:
        if backbone is None:  # unreachable with a checked config; keeps the types honest
            raise ConfigError("objective.clip.weight", self.config.clip.weight, "0 where no backbone is loaded for this term")
        found, wanted = embeddings(backbone, frame, images, recall=recall)
        return self._compare(self.semantic_name, self.config.clip.form, found, wanted, other_forms)

    def _perceptual_term(self, backbone: StageBackbone | None, frame: Tensor, images: Tensor, stages: int | None, recall: Recall) -> Tensor:
        if backbone is None:
            raise ConfigError("objective.perceptual.weight", self.config.perceptual.weight, "0 where no backbone is loaded for this term")
        wanted = _at_size_of(images, frame)
        return deep_feature_distance(backbone, self.config.perceptual.form, frame, wanted, stages, recall=recall)

    def _semantics_term(self, rendered: Tensor | None, target: Tensor | None) -> Tensor:
        if rendered is None or target is None:
            raise ConfigError("objective.semantics.weight", self.config.semantics.weight, "0 for a model without semantic channels")
        return semantic_distance(self.config.semantics.form, rendered, target)

    def _pooled_semantics_term(self, rendered: Tensor | None, images: Tensor, recall: Recall) -> Tensor:
        """Compares means over pictures: where a part appears in another view is not known, that it appears is."""
        if rendered is None:
            return self._semantics_term(rendered, None)
        target = self.semantic_target(images, rendered.shape[1], recall)
        return self._semantics_term(rendered.mean(dim=(2, 3)), None if target is None else target.mean(dim=(2, 3)))
