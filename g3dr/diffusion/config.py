"""What determines the two networks of a latent diffusion model, and how pictures are drawn from them.

Sources: [LDM] High-Resolution Image Synthesis with Latent Diffusion Models, CVPR 2022 (arXiv 2112.10752); [DiT] Scalable Diffusion
Models with Transformers, ICCV 2023 (arXiv 2212.09748). Defaults are the sizes that [LDM] publishes for ImageNet at 256 pixels;
`experiments/diffusion.yaml` holds sizes for two CPU cores.
"""

from dataclasses import dataclass
from typing import Literal

from g3dr.config import PerceptualBackbone
from g3dr.errors import ConfigError

Prediction = Literal["epsilon", "v_prediction"]
NoiseSchedule = Literal["scaled_linear", "linear", "cosine"]
Architecture = Literal["unet", "transformer"]
Sampler = Literal["dpm", "ddim"]

NOISE_LEVELS = 1000
"""Steps of the noising process that the denoisers know, as in every published model."""


def _require(condition: object, path: str, got: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(path, got, allowed)


def _check_widths(section: str, widths: tuple[int, ...], groups: int) -> None:
    _require(groups > 0, f"{section}.norm_groups", groups, "1 or more")
    divisible = len(widths) > 0 and all(width > 0 and width % groups == 0 for width in widths)
    _require(divisible, f"{section}.widths", widths, f"one or more positive multiples of norm_groups, which is {groups}")


@dataclass(frozen=True)
class AutoencoderConfig:
    """Pictures to latents and back: diffusers' AutoencoderKL [LDM, section 3.1], trained without a discriminator.

    Attributes:
        resolution: Side of the pictures, pixels; divisible by patch x 2^(levels - 1), by which a latent's side is smaller.
        patch: Side of the squares of pixels that become the channels of one position before the first level: 1 as published; 4 leaves
            out the levels of full and half size, which take most of the time on a CPU.
        latent_channels: Numbers at each position of a latent.
        principal: Let both networks begin with the principal components of the squares of pixels behind each position, and learn what is
            missing; not as published. In short trainings these few numbers are far ahead of what is learned (`docs/generation.md`).
        widths: Channels of each level, the finest first; divisible by `norm_groups`.
        blocks: Residual blocks of each level of the encoder; the decoder has one more.
        attention: Self-attention at the coarsest level.
        norm_groups: Groups of the group norms.
        kl: Weight of the divergence of a latent number from a standard normal one, nats, averaged over the latent; it keeps latents from
            growing without end. [LDM] sums where this takes means: its 1e-6 is about 2e-8 here.
        perceptual: Weight of the deep-feature distance between a picture and its decoded latent; 0 leaves it out.
        perceptual_backbone: Network of that distance; anything but LPIPS appears under its own name.
        edges: Weight of the absolute error of differences between neighbouring pixels, a cheap help against blur; 0 as published.
        average_decay: Decay of the running average of the weights, which is what is used afterwards; 0 for none.
    """

    resolution: int = 256
    patch: int = 1
    latent_channels: int = 4
    principal: bool = False
    widths: tuple[int, ...] = (128, 256, 512, 512)
    blocks: int = 2
    attention: bool = True
    norm_groups: int = 32
    kl: float = 2e-8
    perceptual: float = 1.0
    perceptual_backbone: PerceptualBackbone = "lpips_vgg16"
    edges: float = 0.0
    average_decay: float = 0.0

    @property
    def factor(self) -> int:
        """By how much a latent's side is smaller than the picture's."""
        return int(self.patch * 2 ** (len(self.widths) - 1))

    @property
    def latent_side(self) -> int:
        """Side of a latent."""
        return self.resolution // self.factor

    def __post_init__(self) -> None:
        section = "network.autoencoder"
        _check_widths(section, self.widths, self.norm_groups)
        _require(self.patch > 0, f"{section}.patch", self.patch, "1 or more")
        divisible = self.resolution > 0 and self.resolution % self.factor == 0
        _require(divisible, f"{section}.resolution", self.resolution, f"a positive multiple of {self.factor}, the factor of its latents")
        _require(self.latent_channels > 0, f"{section}.latent_channels", self.latent_channels, "1 or more")
        pixels = 3 * self.factor**2
        fits = self.latent_channels <= pixels or not self.principal
        _require(fits, f"{section}.latent_channels", self.latent_channels, f"{pixels} or less, the colours behind one position")
        _require(self.blocks > 0, f"{section}.blocks", self.blocks, "1 or more")
        for name in ("kl", "perceptual", "edges"):
            _require(getattr(self, name) >= 0, f"{section}.{name}", getattr(self, name), "0 or more")
        _require(0 <= self.average_decay < 1, f"{section}.average_decay", self.average_decay, "at least 0, less than 1")


@dataclass(frozen=True)
class DenoiserConfig:
    """What takes noise out of latents, told the class: diffusers' UNet2DModel [LDM, section 3.2] or DiTTransformer2DModel [DiT].

    Attributes:
        resolution: Side of the pictures, pixels; the autoencoder's.
        classes: Names of the species that can be asked for; pictures of any other are learned without a class.
        architecture: `unet` as in [LDM], or `transformer` as in [DiT], where each position of a latent is a token. With small latents on
            a CPU the transformer learns several times faster (`docs/decisions/0034`).
        widths: Channels of each level, the finest first; divisible by `norm_groups`. A transformer has one.
        blocks: Residual blocks of each level on the way down; one more on the way up. All blocks of a transformer.
        attention_levels: Levels with self-attention, counted from 0 at the finest; the middle of the network always has it. A transformer
            does not ask.
        head_width: Channels of an attention head; divides the widths of the levels that attend.
        norm_groups: Groups of the group norms; a transformer has none.
        dropout: Share of the features inside of blocks that is left out in training.
        prediction: What the network says: the noise (`epsilon`, as published), or `v_prediction` [Salimans and Ho, 2022], which also
            means something where nothing but noise is left.
        schedule: How the noise grows: `scaled_linear` as published, `linear`, or `cosine` [Nichol and Dhariwal, 2021].
        class_dropout: Share of the training pictures whose class is withheld, so that guidance has something to lead away from.
        average_decay: Decay of the running average of the weights, which is what pictures are drawn with; 0 for none.
        latent_memory: Latents of the training pictures are kept between steps, up to so many MB; 0 encodes every batch anew. A picture
            is encoded on its own in the first case, so a result does not depend on what was kept.
        guidance: Scale of classifier-free guidance where nobody says another; 1 is none.
        sampling_steps: Steps of the sampler where nobody says another.
        samples_per_class: Pictures of each class that an evaluation draws.
    """

    resolution: int = 256
    classes: tuple[str, ...] = ()
    architecture: Architecture = "unet"
    widths: tuple[int, ...] = (192, 384, 576, 960)
    blocks: int = 2
    attention_levels: tuple[int, ...] = (1, 2, 3)
    head_width: int = 32
    norm_groups: int = 32
    dropout: float = 0.0
    prediction: Prediction = "epsilon"
    schedule: NoiseSchedule = "scaled_linear"
    class_dropout: float = 0.1
    average_decay: float = 0.9999
    latent_memory: int = 256
    guidance: float = 3.0
    sampling_steps: int = 30
    samples_per_class: int = 16

    def __post_init__(self) -> None:
        section, is_unet, levels = "network.denoiser", self.architecture == "unet", range(len(self.widths))
        if is_unet:
            _check_widths(section, self.widths, self.norm_groups)
        for name, good, allowed in (
            ("resolution", self.resolution > 0, "1 or more pixels"),
            ("classes", len(set(self.classes)) == len(self.classes), "different names"),
            ("widths", is_unet or self._is_of_a_transformer(), "one width for a transformer, a positive multiple of 4"),
            ("blocks", self.blocks > 0, "1 or more"),
            ("attention_levels", not is_unet or set(self.attention_levels) <= set(levels), f"levels of 0 to {len(levels) - 1}"),
            ("head_width", self._heads_fit(), "a positive divisor of the widths of the levels that attend and of the last one"),
            ("dropout", 0 <= self.dropout < 1, "at least 0, less than 1"),
            ("class_dropout", 0 <= self.class_dropout <= 1, "between 0 and 1"),
            ("average_decay", 0 <= self.average_decay < 1, "at least 0, less than 1"),
            ("latent_memory", self.latent_memory >= 0, "0 or more MB"),
            ("guidance", self.guidance >= 1, "1 or more"),
            ("sampling_steps", 1 <= self.sampling_steps <= NOISE_LEVELS, f"1 to {NOISE_LEVELS}"),
            ("samples_per_class", self.samples_per_class >= 1, "1 or more"),
        ):
            _require(good, f"{section}.{name}", getattr(self, name), allowed)

    def _is_of_a_transformer(self) -> bool:
        """Sines and cosines of two axes share a token's channels."""
        return len(self.widths) == 1 and self.widths[0] > 0 and self.widths[0] % 4 == 0

    def _heads_fit(self) -> bool:
        attending = {*self.attention_levels, len(self.widths) - 1} & set(range(len(self.widths)))
        return self.head_width > 0 and all(self.widths[level] % self.head_width == 0 for level in attending)


@dataclass(frozen=True)
class SamplingSettings:
    """How pictures are drawn; None leaves a choice to the model.

    Attributes:
        steps: Steps of the sampler.
        guidance: Scale of classifier-free guidance; 1 is none.
        sampler: `dpm` (DPM-Solver++ of second order [Lu et al., 2022]) or `ddim` [Song et al., 2021], both without chance of their own.
            None is `dpm` for our models, and for public ones the sampler that comes with them.
        at_once: Pictures that are drawn together; changes nothing but rounding.
    """

    steps: int | None = None
    guidance: float | None = None
    sampler: Sampler | None = None
    at_once: int = 8

    def __post_init__(self) -> None:
        steps, guidance = self.steps, self.guidance
        _require(steps is None or 1 <= steps <= NOISE_LEVELS, "--steps", steps, f"1 to {NOISE_LEVELS}")
        _require(guidance is None or guidance >= 1, "--guidance", guidance, "1 (none) or more")
        _require(self.sampler in (None, "dpm", "ddim"), "--sampler", self.sampler, "dpm or ddim")
        _require(self.at_once >= 1, "--batch-size", self.at_once, "1 or more")
