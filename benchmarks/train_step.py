"""One whole optimizer step at the published size: network, rendering, losses, backward, Adam.

The baseline draws the same random numbers and takes the same steps; only the network and the renderer are the published form.
"""

import functools
import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.baseline import Levels, PublishedRenderer, make_levels
from benchmarks.figures import Comparison, Figure, Result, Setting
from benchmarks.frames import baseline_rays
from benchmarks.unet_reference import published_planes
from g3dr.backbones.clip import clip_input
from g3dr.backbones.lpips import LpipsVgg16, load_calibration
from g3dr.backbones.protocols import Backbones
from g3dr.config import GeneratorConfig, LossTerm, ModelConfig, ObjectiveConfig, Precision, RendererConfig, TrainingConfig
from g3dr.losses import Objective
from g3dr.model import G3DR
from g3dr.render import RaySampling
from g3dr.training.optimization import Place
from g3dr.training.trainer import Trainer
from g3dr.types import Batch, Conditioning, Rays, Rendering

STEPS = 100
STEP = 60  # past the half of a training, so that all terms of the objective count
COMPARED = ("pos_embed", "final_conv.weight", "decoder.net.0.weight")


class PublishedG3DR(G3DR):
    """The model in its published form, with the same parameters."""

    def encode(self, images: Tensor, depths: Tensor, conditioning: Conditioning | None = None) -> Levels:  # type: ignore[override]  # noqa: ARG002 (the base class's signature)
        """Returns the levels of the planes."""
        memory_format = torch.contiguous_format if images.is_cuda else torch.channels_last
        return make_levels(published_planes(self, images, depths).float(), memory_format)

    def render(self, table: Levels, rays: Rays, sampling: RaySampling | None = None) -> Rendering:  # type: ignore[override]
        """Renders rays of the levels."""
        renderer = PublishedRenderer(self.renderer.config, self.renderer.layout, self.decoder)
        with torch.autocast(rays.origins.device.type, enabled=False):
            return renderer.in_chunks(table, rays, sampling or RaySampling(), baseline_rays(self.renderer.config, rays))


class RandomClip(nn.Module):
    """A network of the size of CLIP's picture half, with random weights."""

    name, sha256 = "clip-vit-b16", "random"

    def __init__(self) -> None:
        super().__init__()
        import open_clip  # noqa: PLC0415 (slow to import)

        logging.disable(logging.WARNING)  # open_clip warns of random weights, which are meant
        visual = open_clip.create_model("ViT-B-16", force_quick_gelu=True).visual
        logging.disable(logging.NOTSET)
        self.visual = visual.eval().requires_grad_(False)  # noqa: FBT003 (torch's signature)

    def embed(self, images: Tensor) -> Tensor:
        """Returns 512 numbers for each image."""
        embedding: Tensor = self.visual(clip_input(images))
        return embedding


def _random_vgg() -> LpipsVgg16:
    from torchvision.models import vgg16  # noqa: PLC0415 (slow to import)

    features = vgg16(weights=None).features[:30].eval().requires_grad_(False)  # noqa: FBT003 (torch's signature)
    return LpipsVgg16(features, load_calibration(), "random")


@dataclass(frozen=True)
class Kind:
    """What a step does.

    Attributes:
        batch: Images.
        precision: Of the U-Net.
        networks: Whether the objective looks through networks of the size of CLIP and VGG-16.
    """

    batch: int = 1
    precision: Precision = "float32"
    networks: bool = False


def _objective(kind: Kind, device: torch.device) -> Objective:
    if kind.networks:
        return Objective(ObjectiveConfig(), Backbones(RandomClip().to(device), _random_vgg().to(device)))
    return Objective(ObjectiveConfig(clip=LossTerm(weight=0.0), perceptual=LossTerm("l2", 0.0)))


def _model_config(setting: Setting) -> ModelConfig:
    if setting.quick:
        generator = GeneratorConfig(resolution=16, width=16, multipliers=(1, 2), position_channels=8, features=4)
        return ModelConfig(generator, RendererConfig(coarse_samples=4, fine_samples=4))
    return ModelConfig()


def _batch(kind: Kind, resolution: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(kind.batch, 3, resolution, resolution, generator=generator) * 2 - 1
    depths = torch.rand(kind.batch, 1, resolution, resolution, generator=generator) + 4.5
    names = ["image"] * kind.batch
    return Batch(images, depths, names, names)


def _step(trainer: Trainer, batch: Batch) -> Result:
    """Takes a step of the input view; returns the loss and some gradients."""
    trainer.step = STEP
    terms = trainer.run_step(batch)
    parameters = dict(trainer.model.named_parameters())
    gradients = {name: parameters[name].grad for name in COMPARED}
    return {"loss": terms["loss"], **{name: gradient.clone() for name, gradient in gradients.items() if gradient is not None}}


def _comparison(setting: Setting, kind: Kind) -> Comparison:
    config = _model_config(setting)
    training = TrainingConfig(
        steps=STEPS, batch_size=kind.batch, novel_probability=0.0, depth_importance=0.0, flip=False, precision=kind.precision
    )
    objective, batch = _objective(kind, setting.device), _batch(kind, config.generator.resolution)
    models = (G3DR(config), PublishedG3DR(config))
    trainers = [Trainer(model.to(setting.device), objective, training, seed=0, place=Place(setting.device)) for model in models]
    ours, reference = (functools.partial(_step, trainer, batch) for trainer in trainers)
    return Comparison(ours, reference, items=kind.batch)


def _figure(name: str, meaning: str, kind: Kind, *, cuda_only: bool = False) -> Figure:
    build = functools.partial(_comparison, kind=kind)
    return Figure(name=name, meaning=f"{meaning}, against the published form", build=build, memory=True, cuda_only=cuda_only)


FIGURES = (
    _figure("train_step", "one step of the published size, batch 1, the input view at 128 px, 32 + 32 samples", Kind()),
    _figure("train_step_networks", "the same with networks of the size of CLIP and VGG-16 (random weights)", Kind(networks=True)),
    _figure("train_step_8_bfloat16", "batch 8, mixed precision", Kind(batch=8, precision="bfloat16"), cuda_only=True),
)
