"""What determines a model and its training: frozen dataclasses, checked when they are made.

Sources: [P] G3DR, CVPR 2024 (arXiv 2403.00939); [R] the report "Generative 3D Reconstruction From Images".
Defaults are those of [P]; `experiments/` holds the smaller sizes.
"""

from dataclasses import dataclass, field
from typing import Literal

from g3dr.errors import ConfigError

LossForm = Literal["l1", "l2", "smooth_l1", "cosine"]
PlaneLayout = Literal["published", "image_aligned", "perspective"]
PositionInit = Literal["ones", "coordinates"]
Freeze = Literal["none", "encoder"]
Precision = Literal["float32", "bfloat16"]
LearningRateSchedule = Literal["one_cycle", "constant"]
DeviceChoice = Literal["auto", "cpu", "cuda", "mps"]
SemanticBackbone = Literal["clip_vit_b16", "efficientnet_lite0"]
PerceptualBackbone = Literal["lpips_vgg16", "efficientnet_lite0"]
EmbeddingSource = Literal["none", "image", "text", "class"]
StageSource = Literal["none", "lpips_vgg16", "efficientnet_lite0"]


def _require(condition: object, path: str, got: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(path, got, allowed)


@dataclass(frozen=True)
class GeneratorConfig:
    """The U-Net that turns an image and its depth into tri-planes [P, section 3.1].

    Attributes:
        resolution: Side of the input image and of the planes, pixels; divisible by 2^(levels - 1) and by 4.
        width: Channels of the first level; divisible by 8, the number of groups of the norms.
        multipliers: Channels of each level as multiples of `width`.
        position_channels: Channels of the learned position map that is concatenated to the input.
        position_init: `ones` as published, or `coordinates`: pixel coordinates and sinusoids of them.
        features: Channels of each of the three planes.
        attention: Linear attention on every level and full attention in the middle.
        depth_offset: Subtracted from the depth before it enters the network, world units; 0 as published, 5 centres it.
        plane_gain: Factor of the planes; 1 as published, more lets small networks learn detail in fewer steps.
    """

    resolution: int = 128
    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    position_channels: int = 256
    position_init: PositionInit = "ones"
    features: int = 64
    attention: bool = True
    depth_offset: float = 0.0
    plane_gain: float = 1.0

    def __post_init__(self) -> None:
        factor = max(4, 2 ** (len(self.multipliers) - 1))
        several = len(self.multipliers) >= 2 and min(self.multipliers) >= 1
        divisible = self.resolution > 0 and self.resolution % factor == 0
        section = "model.generator"
        _require(several, f"{section}.multipliers", self.multipliers, "two or more positive integers")
        _require(divisible, f"{section}.resolution", self.resolution, f"a positive multiple of {factor}")
        _require(self.width > 0 and self.width % 8 == 0, f"{section}.width", self.width, "a positive multiple of 8")
        _require(self.position_channels >= 0, f"{section}.position_channels", self.position_channels, "0 or more")
        _require(self.features > 0, f"{section}.features", self.features, "1 or more")
        _require(self.plane_gain > 0, f"{section}.plane_gain", self.plane_gain, "more than 0")


@dataclass(frozen=True)
class RendererConfig:
    """The volume renderer [P, section 3.2].

    Attributes:
        layout: How planes are placed in the box; `perspective` learns fastest, `published` is what public checkpoints need.
        decoder_width: Width of the decoder's hidden layer.
        coarse_samples: Stratified samples per ray.
        fine_samples: Samples per ray drawn from the coarse weights; 0 turns the fine pass off.
        importance_window: Half width of the depth window of depth-importance sampling, world units.
        white_background: Composite onto white instead of black.
        ray_range: Distances from the camera between which rays are sampled, world units; null for the part of a ray in the box.
        initial_density: Raw density of a new model where nothing is known; 0 as published is a light fog, -3 is nearly empty.
    """

    layout: PlaneLayout = "perspective"
    decoder_width: int = 64
    coarse_samples: int = 32
    fine_samples: int = 32
    importance_window: float = 0.05
    white_background: bool = False
    ray_range: tuple[float, float] | None = None
    initial_density: float = 0.0

    def __post_init__(self) -> None:
        _require(self.decoder_width > 0, "model.renderer.decoder_width", self.decoder_width, "1 or more")
        _require(self.coarse_samples >= 2, "model.renderer.coarse_samples", self.coarse_samples, "2 or more")
        _require(self.fine_samples >= 0, "model.renderer.fine_samples", self.fine_samples, "0 or more")
        _require(0 < self.importance_window <= 1, "model.renderer.importance_window", self.importance_window, "more than 0, at most 1")
        ascending = self.ray_range is None or 0 <= self.ray_range[0] < self.ray_range[1]
        _require(ascending, "model.renderer.ray_range", self.ray_range, "null, or two ascending distances of at least 0")


@dataclass(frozen=True)
class ConditioningConfig:
    """What the generator learns of besides picture and depth, and what the planes carry besides colour [R, section 3.1]; off as published.

    Every part starts from zero weights, so that switching it on changes nothing until it is trained.

    Attributes:
        embedding: What is added to the embedding that scales and shifts every residual block: nothing (`none`), a frozen network's
            embedding of the input `image`, CLIP's embedding of the species' name (`text`), or a learned vector per species (`class`).
        embedding_backbone: Network of `image`; `text` needs `clip_vit_b16`, `class` none.
        prompt: The sentence that `text` embeds; `{}` stands for the species' name.
        classes: The species that `class` knows; any other counts as unknown and adds nothing.
        withheld: Share of training images that `text` and `class` take for unknown, so that the model learns to do without.
        stages: Network whose frozen feature maps are added to the levels of the encoder, the shallowest to the first.
        semantic_channels: Channels that the decoder emits beside colour, rendered like it; `objective.semantics` trains them.
    """

    embedding: EmbeddingSource = "none"
    embedding_backbone: SemanticBackbone = "clip_vit_b16"
    prompt: str = "a photo of a {}"
    classes: tuple[str, ...] = ()
    withheld: float = 0.1
    stages: StageSource = "none"
    semantic_channels: int = 0

    @property
    def uses_names(self) -> bool:
        """Whether the names of species matter."""
        return self.embedding in ("text", "class")

    @property
    def uses_images(self) -> bool:
        """Whether a frozen network looks at the images."""
        return self.embedding == "image" or self.stages != "none"

    def __post_init__(self) -> None:
        section, clip = "model.conditioning", self.embedding_backbone == "clip_vit_b16"
        listed = len(set(self.classes)) == len(self.classes) and (self.embedding != "class" or len(self.classes) > 0)
        _require(listed, f"{section}.classes", self.classes, "different names, at least one where embedding is class")
        _require(clip or self.embedding != "text", f"{section}.embedding_backbone", self.embedding_backbone, "clip_vit_b16 for text")
        _require(self.prompt.count("{}") == 1, f"{section}.prompt", self.prompt, "a sentence with one {} for the species' name")
        _require(0 <= self.withheld <= 1, f"{section}.withheld", self.withheld, "between 0 and 1")
        _require(self.semantic_channels >= 0, f"{section}.semantic_channels", self.semantic_channels, "0 or more")


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the shape of a checkpoint, and how it is rendered."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    renderer: RendererConfig = field(default_factory=RendererConfig)
    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)


@dataclass(frozen=True)
class LossTerm:
    """One term of the objective.

    Attributes:
        form: How two arrays are compared: `l1`, `l2`, `smooth_l1` (beta 1) or `cosine` (1 - cosine similarity, per image, flattened).
        weight: Factor in the sum; 0 means that the term is not computed.
    """

    form: LossForm = "l1"
    weight: float = 1.0

    def __post_init__(self) -> None:
        _require(self.weight >= 0, "objective.*.weight", self.weight, "0 or more")


@dataclass(frozen=True)
class ObjectiveConfig:
    """The training objective [P, section 3.3; R, section 3.6].

    Attributes:
        rgb: Colour of the input view.
        depth: Depth of the input view.
        clip: Image embeddings of rendered view and input.
        perceptual: Deep features of rendered view and input.
        tv: Total variation of the depth of novel views (differences of neighbours, compared with zero).
        pooled_rgb: Colours of a novel view and of the input, both average-pooled; stands in for `clip` where its weights are missing.
        pooled_size: Side to which `pooled_rgb` pools, pixels.
        ray_rgb: Colour at random points of the input view's rays, seen or not, compared with the ray's pixel; gives what lies behind a
            surface the colour of what is seen, where a picture says nothing.
        semantics: Rendered semantic channels: in the input view each pixel with a frozen network's features there, in novel views
            their mean with that of the input; needs `model.conditioning.semantic_channels`.
        opacity: Weight of mean(1 - opacity), which keeps the box filled; ramps up from 0 over the first half of the steps.
        spread: Weight of the variance of the distances that a ray sees, world units squared, in all views: draws fog together to surfaces.
        semantic_start: Fraction of the steps after which `clip` and `perceptual` count in the input view, at half weight.
        clip_backbone: Network of the `clip` term; anything but CLIP appears under its own name.
        perceptual_backbone: Network of the `perceptual` term, likewise.
        semantics_backbone: Network of the `semantics` term.
    """

    rgb: LossTerm = field(default_factory=lambda: LossTerm("l1", 1.0))
    depth: LossTerm = field(default_factory=lambda: LossTerm("l1", 2.0))
    clip: LossTerm = field(default_factory=lambda: LossTerm("l1", 0.35))
    perceptual: LossTerm = field(default_factory=lambda: LossTerm("l2", 2.0))
    tv: LossTerm = field(default_factory=lambda: LossTerm("l2", 0.1))
    pooled_rgb: LossTerm = field(default_factory=lambda: LossTerm("l1", 0.0))
    pooled_size: int = 8
    ray_rgb: LossTerm = field(default_factory=lambda: LossTerm("l1", 0.0))
    semantics: LossTerm = field(default_factory=lambda: LossTerm("cosine", 0.0))
    opacity: float = 1.0
    spread: float = 0.0
    semantic_start: float = 0.5
    clip_backbone: SemanticBackbone = "clip_vit_b16"
    perceptual_backbone: PerceptualBackbone = "lpips_vgg16"
    semantics_backbone: PerceptualBackbone = "lpips_vgg16"

    def __post_init__(self) -> None:
        _require(self.pooled_size > 0, "objective.pooled_size", self.pooled_size, "1 or more")
        _require(self.opacity >= 0, "objective.opacity", self.opacity, "0 or more")
        _require(self.spread >= 0, "objective.spread", self.spread, "0 or more")
        _require(0 <= self.semantic_start <= 1, "objective.semantic_start", self.semantic_start, "between 0 and 1")


@dataclass(frozen=True)
class TrainingConfig:
    """One training.

    Attributes:
        steps: Optimizer steps; 0 leaves the initial checkpoint as it is.
        batch_size: Images per step over all workers.
        rays_per_image: Random rays of the input view per step; null renders the whole view.
        learning_rate: Peak learning rate of Adam.
        decoder_rate: Learning rate of the plane decoder as a multiple of `learning_rate`; 1 as published.
        betas: Adam's exponential decay rates.
        schedule: `one_cycle` (from lr / 25 up to the peak, cosine down) or `constant`.
        warm_up: Fraction of the steps until the peak of `one_cycle`; small networks with large rates need more than the published 0.02.
        cycle_momentum: Let one_cycle move beta1 between 0.85 and 0.95 too, as the authors' code does.
        gradient_clip: Largest norm of the gradient; null for none.
        novel_probability: Highest probability of a novel-view step; it grows as 2 * step / steps up to this.
        novel_resolution: Side of the rendered novel view, pixels; null means the generator's resolution.
        novel_yaw_divisors: Novel yaw is uniform in +-pi / k; k goes from the first to the second over the first third of the steps.
        novel_pitch_divisor: Novel pitch is uniform in +-pi / k.
        flip: Mirror half of the images.
        depth_importance: Probability that the fine samples of the input view are a window around the input depth [R].
        depth_regularization: Scale the gradients of samples far from the input depth [P, section 3.2].
        depth_regularization_start: Fraction of the steps after which `depth_regularization` acts.
        freeze: `encoder` trains only the decoder half of the U-Net, the plane decoder and conditioning [R, fine-tuning].
        precision: Autocast of the U-Net; norms stay in float32.
        accumulation: Parts into which each worker cuts its share of a batch, one after the other, to need less memory; the result
            is that of the whole batch.
        activation_checkpointing: Compute the U-Net's blocks again in the backward pass instead of keeping what is inside them: the
            same result with less memory and more time.
        feature_memory: What frozen networks see in the training images is kept between steps, if for all of them it takes at most
            so many MB of each worker's device for each kind of features; 0 keeps nothing.
        log_every: Steps between reported metrics.
        log_forms: Also report `rgb`, `depth` and `clip` as they are in each of the four forms (`rgb_as_l2`), whichever one is minimised, so
            that trainings with different forms can be compared; changes no result.
        checkpoint_every: Steps between checkpoints; the last step always has one.
    """

    steps: int = 300_000
    batch_size: int = 8
    rays_per_image: int | None = None
    learning_rate: float = 5e-5
    decoder_rate: float = 1.0
    betas: tuple[float, float] = (0.9, 0.99)
    schedule: LearningRateSchedule = "one_cycle"
    warm_up: float = 0.02
    cycle_momentum: bool = False
    gradient_clip: float | None = None
    novel_probability: float = 0.4
    novel_resolution: int | None = None
    novel_yaw_divisors: tuple[float, float] = (24.0, 6.0)
    novel_pitch_divisor: float = 18.0
    flip: bool = True
    depth_importance: float = 0.4
    depth_regularization: bool = True
    depth_regularization_start: float = 0.0
    freeze: Freeze = "none"
    precision: Precision = "float32"
    accumulation: int = 1
    activation_checkpointing: bool = False
    feature_memory: int = 256
    log_forms: bool = False
    log_every: int = 50
    checkpoint_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "feature_memory"):
            _require(getattr(self, name) >= 0, f"training.{name}", getattr(self, name), "0 or more")
        for name in ("batch_size", "accumulation", "log_every", "checkpoint_every"):
            _require(getattr(self, name) >= 1, f"training.{name}", getattr(self, name), "1 or more")
        for name in ("rays_per_image", "novel_resolution"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"training.{name}", value, "null, or 1 or more")
        for name in ("warm_up", "novel_probability", "depth_importance", "depth_regularization_start"):
            _require(0 <= getattr(self, name) <= 1, f"training.{name}", getattr(self, name), "between 0 and 1")
        divides = self.batch_size % self.accumulation == 0
        _require(divides, "training.accumulation", self.accumulation, f"a divisor of training.batch_size, which is {self.batch_size}")
        _require(self.learning_rate > 0, "training.learning_rate", self.learning_rate, "more than 0")
        _require(self.decoder_rate > 0, "training.decoder_rate", self.decoder_rate, "more than 0")
        _require(self.gradient_clip is None or self.gradient_clip > 0, "training.gradient_clip", self.gradient_clip, "null, or more than 0")
        _require(all(0 <= beta < 1 for beta in self.betas), "training.betas", self.betas, "two numbers of at least 0 and less than 1")
