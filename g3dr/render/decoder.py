"""The decoder from plane features to density and colour, and to semantics where asked: two layers, no view direction."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

OUTPUTS = 4  # density, red, green, blue
COLOR_MARGIN = 0.001  # lets the sigmoid reach pure black and white


class ScaledLinear(nn.Module):
    """A linear layer whose weight is multiplied by 1 / sqrt(inputs) when used (equalised learning rate, Karras et al. 2018)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def effective_weight(self) -> Float[Tensor, "outputs inputs"]:
        """Returns the weight as it is applied."""
        gain: float = self.weight.shape[1] ** -0.5
        return self.weight * gain

    def forward(self, features: Float[Tensor, "*axes inputs"]) -> Float[Tensor, "*axes outputs"]:
        """Applies the layer."""
        return F.linear(features, self.effective_weight(), self.bias)


class SemanticHead(ScaledLinear):
    """A second last layer, for channels beside colour; starts as zeros."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the weights to zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class PlaneDecoder(nn.Module):
    """Plane features to raw density, colour in [-0.001, 1.001], and semantic channels if there are any.

    Args:
        features: Channels of the planes.
        width: Channels of the hidden layer.
        semantics: Semantic channels; 0 as published.
    """

    def __init__(self, features: int, width: int, semantics: int = 0) -> None:
        super().__init__()
        self.net = nn.Sequential(ScaledLinear(features, width), nn.Softplus(), ScaledLinear(width, OUTPUTS))
        self.semantics = SemanticHead(width, semantics) if semantics else None

    @property
    def last(self) -> ScaledLinear:
        """The second layer: raw density first, then colour."""
        return cast(ScaledLinear, self.net[2])

    @property
    def first(self) -> ScaledLinear:
        """The layer that can be folded into a node table."""
        return cast(ScaledLinear, self.net[0])

    def last_layers(self) -> tuple[Float[Tensor, "value channel"], Float[Tensor, "value"]]:
        """Returns weight and bias of the second layer as they are applied: raw density, raw colour, then semantics."""
        if self.semantics is None:
            return self.last.effective_weight(), self.last.bias
        weight = torch.cat([self.last.effective_weight(), self.semantics.effective_weight()])
        return weight, torch.cat([self.last.bias, self.semantics.bias])

    def forward(self, features: Float[Tensor, "*axes channel"]) -> Float[Tensor, "*axes value"]:
        """Applies both layers; returns raw density, then colour, then semantics."""
        raw = F.linear(F.softplus(self.first(features)), *self.last_layers())
        densities, colors = activate(raw.movedim(-1, 0))
        return torch.cat([densities[None], colors]).movedim(0, -1)


def activate(raw: Float[Tensor, "value *samples"]) -> tuple[Float[Tensor, "*samples"], Float[Tensor, "color *samples"]]:
    """Splits the second layer's output into raw density and squashed colour, with semantics as they are behind the colour."""
    colors = torch.sigmoid(raw[1:OUTPUTS]) * (1 + 2 * COLOR_MARGIN) - COLOR_MARGIN
    return raw[0], colors if len(raw) == OUTPUTS else torch.cat([colors, raw[OUTPUTS:]])
