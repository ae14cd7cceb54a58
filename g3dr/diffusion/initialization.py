"""First weights of networks that a library builds, drawn from a seed of our own instead of torch's global generator."""

import math

import torch
from torch import nn

_EMBEDDING_DEVIATION = 0.02


def draw_weights(network: nn.Module, seed: int) -> None:
    """Draws all weights anew, in the order of the modules: convolutions and linear layers as torch does by default, norms at one.

    Args:
        network: Any; buffers stay as they are.
        seed: 0 or more.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _draw_product(module, generator)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=_EMBEDDING_DEVIATION, generator=generator)
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm) and module.weight is not None:
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def _draw_product(module: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
    if module.bias is not None:
        bound = 1 / math.sqrt(module.weight[0].numel())
        nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def silence(*modules: nn.Module) -> None:
    """Lets layers begin with nothing to say, so that what they are added to passes unchanged [Ho et al., 2020, appendix B]."""
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)
