"""A small model in the published layout, and files of it as the authors' code and PyTorch Lightning write them."""

import torch
from goldens_recipe import recipe_state

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.published.shapes import expected_shapes

PUBLISHED = RendererConfig(layout="published")
CONFIG = ModelConfig(
    GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=4),
    RendererConfig(layout="published", decoder_width=8),
)
SHAPES = expected_shapes(CONFIG)


def saver(folder):
    """Returns what saves a document as a file of `folder`."""

    def save(document, name="checkpoint.pt"):
        torch.save(document, folder / name)
        return folder / name

    return save


def in_order(prefix=""):
    """Weights by name, in the order in which the authors' model has them."""
    values = recipe_state(SHAPES, 0)
    return {f"{prefix}{name}": values[name] for name in SHAPES}


def trained_adam():
    """An optimizer over the parameters in their order that has done one step, and its scheduler as torch had it before 2024."""
    parameters = [torch.nn.Parameter(value.clone()) for value in in_order().values()]
    adam = torch.optim.Adam(parameters, lr=5e-5, betas=(0.9, 0.99))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(adam, 5e-5, total_steps=100)
    for index, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, 0.01 * (index + 1))
    adam.step()
    old = scheduler.state_dict() | {"anneal_func": torch.optim.lr_scheduler.OneCycleLR._annealing_cos}
    return adam, old


def authors_file(prefix="module."):
    """What the authors' training saves."""
    adam, scheduler = trained_adam()
    return {"step": 1234, "model": in_order(prefix), "opt": adam.state_dict(), "scheduler": scheduler}


def lightning_file():
    """What PyTorch Lightning saves of such a training, with the networks of its losses."""
    perceptual = {"perceptual_model.layer.weight": torch.zeros(3), "clip_model.logit_scale": torch.zeros(())}
    adam, scheduler = trained_adam()
    return {
        "epoch": 3,
        "global_step": 77,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": {**in_order("unet_model."), **perceptual},
        "optimizer_states": [adam.state_dict()],
        "lr_schedulers": [scheduler],
        "hyper_parameters": {"lr": 5e-5},
    }


def changed(remove=(), **add):
    """A file with weights taken out, added or replaced."""
    values = {name: value for name, value in in_order().items() if name not in remove}
    return {"step": 1, "model": {**values, **add}}
