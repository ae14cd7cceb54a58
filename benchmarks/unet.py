"""The generator against its published form: one image to tri-planes, and one step of its training."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.figures import Comparison, Figure, Result, Setting, largest_difference, rms_difference
from benchmarks.unet_reference import published_planes
from g3dr.config import GeneratorConfig, ModelConfig, Precision
from g3dr.model import G3DR
from g3dr.precision import inference_autocast

PUBLISHED = GeneratorConfig()
QUICKSTART = GeneratorConfig(
    resolution=32, width=16, multipliers=(1, 2, 4), position_channels=16, position_init="coordinates", features=16, attention=False
)
TINY = GeneratorConfig(resolution=16, width=16, multipliers=(1, 2), position_channels=8, features=4)

Form = Callable[[Tensor, Tensor], Tensor]


def _inputs(setting: Setting, config: GeneratorConfig) -> tuple[Tensor, Tensor]:
    generator, side = torch.Generator().manual_seed(0), config.resolution
    images = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
    return images.to(setting.device), (torch.rand(1, 1, side, side, generator=generator) * 2 + 4).to(setting.device)


def _model(setting: Setting, config: GeneratorConfig) -> G3DR:
    return G3DR(ModelConfig(config)).to(setting.device)


def _inference(setting: Setting, config: GeneratorConfig, precision: Precision) -> Comparison:
    config = TINY if setting.quick else config
    model, inputs = _model(setting, config), _inputs(setting, config)

    def ours() -> Result:
        with torch.inference_mode(), inference_autocast(setting.device, precision):
            return {"planes": model.planes(*inputs)}

    def reference() -> Result:
        with torch.inference_mode():
            return {"planes": published_planes(model, *inputs)}

    return Comparison(ours, reference, largest_difference if precision == "float32" else rms_difference)


def _training(setting: Setting) -> Comparison:
    config = TINY if setting.quick else GeneratorConfig(width=64)
    model, inputs = _model(setting, config), _inputs(setting, config)

    def gradients(form: Form) -> Result:
        model.zero_grad()
        planes = form(*inputs)
        planes.square().mean().backward()  # type: ignore[no-untyped-call]
        named = ((name, parameter.grad) for name, parameter in model.named_parameters())
        return {name: gradient for name, gradient in named if gradient is not None and name.startswith(("pos_embed", "final_conv."))}

    return Comparison(partial(gradients, model.planes), partial(gradients, partial(published_planes, model)))


FIGURES = (
    Figure(
        "unet_inference",
        "one image of 128 pixels to tri-planes, published size, float32, against the published form; largest difference",
        lambda setting: _inference(setting, PUBLISHED, "float32"),
        memory=True,
    ),
    Figure(
        "unet_inference_bfloat16",
        "the same with precision=bfloat16 (float32 on a CPU where that is faster), against the published form in float32; rms",
        lambda setting: _inference(setting, PUBLISHED, "bfloat16"),
    ),
    Figure(
        "unet_inference_32",
        "one image of 32 pixels, the quickstart's size, float32, against the published form; largest difference",
        lambda setting: _inference(setting, QUICKSTART, "float32"),
    ),
    Figure(
        "unet_training",
        "forward and backward of one image of 128 pixels, half the published width, against the published form",
        _training,
        memory=True,
    ),
)
