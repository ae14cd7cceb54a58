"""From a checkpoint of ours to the layouts that others read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from g3dr.config import ModelConfig, RendererConfig, TrainingConfig
from g3dr.errors import CheckpointError
from g3dr.published.moments import numbered
from g3dr.published.reading import NETWORK, Layout
from g3dr.published.shapes import Shape, expected_shapes
from g3dr.training.checkpoint import Checkpoint
from g3dr.training.learning_rate import beta1, learning_rate
from g3dr.training.recorded_config import meaning

PREFIXES: dict[Layout, str] = {"training": "module.", "lightning": NETWORK, "bare": ""}
LIGHTNING_VERSION = "2.0.0"
"""The layout of Lightning files has had this version's form since it came out."""


def to_published(checkpoint: Checkpoint, layout: Layout, where: str) -> dict[str, Any]:
    """Returns what to hand to `torch.save`.

    Args:
        checkpoint: Model, and Adam's moments if the optimizer is to go on.
        layout: `training` is {step, model, opt, scheduler} with `module.` in front of every name, as the authors' trainer reads it;
            `lightning` has `unet_model.`; `bare` is the tensors alone.
        where: For error messages.

    Raises:
        CheckpointError: The checkpoint does not record its configuration, or the configuration is not one of a published network.
    """
    if checkpoint.config is None:
        raise CheckpointError(f"{where}: made by an older version, which did not record the model's configuration")
    check_expressible(checkpoint.config, where)
    shapes = expected_shapes(checkpoint.config)
    state = {f"{PREFIXES[layout]}{name}": checkpoint.model[name] for name in shapes}
    if layout == "bare":
        return dict(state)
    optimizer, scheduler = _optimizer_and_scheduler(checkpoint, shapes)
    if layout == "training":
        return {"step": checkpoint.step, "model": state, "opt": optimizer, "scheduler": scheduler}
    return {
        "epoch": 0,
        "global_step": checkpoint.step,
        "pytorch-lightning_version": LIGHTNING_VERSION,
        "state_dict": state,
        "optimizer_states": [optimizer],
        "lr_schedulers": [scheduler],
    }


def check_expressible(config: ModelConfig, where: str) -> None:
    """Makes sure that a published network can be what `config` says.

    Raises:
        CheckpointError: A setting that has no shape differs from the published one; the file would load and compute other planes.
    """
    published = meaning(ModelConfig(renderer=RendererConfig(layout="published")))
    other = [f"{path} is {value!r}" for path, value in meaning(config).items() if value != published[path]]
    if other:
        raise CheckpointError(
            f"{where}: the published layout cannot say that {', '.join(other)}; only networks with published settings go there"
        )


def _optimizer_and_scheduler(checkpoint: Checkpoint, shapes: Mapping[str, Shape]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns states that torch's Adam and OneCycleLR of a published training continue from."""
    settings = TrainingConfig(cycle_momentum=True)
    total = max(settings.steps, checkpoint.step + 1)
    parameters = [torch.nn.Parameter(torch.empty(shape, device="meta")) for shape in shapes.values()]
    adam = torch.optim.Adam(parameters, lr=settings.learning_rate, betas=settings.betas)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, settings.learning_rate, total_steps=total, pct_start=settings.warm_up)
    at = replace(settings, steps=total)
    rate = learning_rate(at, checkpoint.step)
    optimizer = adam.state_dict()
    optimizer["param_groups"][0] |= {"lr": rate, "betas": (beta1(at, checkpoint.step), settings.betas[1])}
    optimizer["state"] = numbered({name: _own(value) for name, value in checkpoint.optimizer.items()}, shapes, checkpoint.step)
    scheduler = cycle.state_dict() | {"last_epoch": checkpoint.step, "_step_count": checkpoint.step + 1, "_last_lr": [rate]}
    return optimizer, scheduler


def _own(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu()
