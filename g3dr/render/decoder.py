"""The decoder from plane features to density and colour: two layers, no view direction."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

OUTPUTS = 4  # density, red, green, blue
COLOR_MARGIN = 0.001  # lets the sigmoid reach pure black and white

Density = Float[Tensor, "*axes"]
Color = Float[Tensor, "*axes 3"]


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


class PlaneDecoder(nn.Module):
    """Plane features to raw density and colour in [-0.001, 1.001].

    Args:
        features: Channels of the planes.
        width: Channels of the hidden layer.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(ScaledLinear(features, width), nn.Softplus(), ScaledLinear(width, OUTPUTS))

    @property
    def last(self) -> ScaledLinear:
        """The second layer: raw density first, then colour."""
        return cast(ScaledLinear, self.net[2])

    @property
    def first(self) -> ScaledLinear:
        """The layer that can be folded into a node table."""
        return cast(ScaledLinear, self.net[0])

    def finish(self, hidden: Float[Tensor, "*axes channel"]) -> Float[Tensor, "*axes 4"]:
        """Applies what follows the first layer; returns raw density, then colour."""
        return activate(self.net[2](F.softplus(hidden)))

    def forward(self, features: Float[Tensor, "*axes channel"]) -> Float[Tensor, "*axes 4"]:
        """Applies both layers; returns raw density, then colour."""
        return self.finish(self.net[0](features))


def activate(raw: Float[Tensor, "*axes 4"]) -> Float[Tensor, "*axes 4"]:
    """Leaves the density as it is and squashes the colour."""
    color = torch.sigmoid(raw[..., 1:]) * (1 + 2 * COLOR_MARGIN) - COLOR_MARGIN
    return torch.cat([raw[..., :1], color], dim=-1)
