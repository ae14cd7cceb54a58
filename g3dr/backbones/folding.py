"""Batch norms of a frozen network folded into its convolutions: the same function up to rounding, in half the memory traffic."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold_batch_norms(network: nn.Module) -> None:
    """Folds every batch norm that follows a convolution into it, in place; the network must be in evaluation mode.

    Followed means registered next in the same module, as in MobileNets and EfficientNets, where it is also computed next.

    Args:
        network: Frozen; afterwards identities stand where its batch norms were.
    """
    for module in network.modules():
        for (_, first), (name, second) in pairwise(list(module.named_children())):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                _fold(first, second)
                setattr(module, name, nn.Identity())


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean, variance = _statistics(norm)
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
    )


def _statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    return norm.running_mean, norm.running_var


def pad_within(network: nn.Module) -> None:
    """Lets convolutions pad for themselves where a layer of their own pads them with zeros, as much on every side, in place.

    Args:
        network: Its convolutions may have a `static_padding`, as those of EfficientNet's packages.
    """
    for module in network.modules():
        padding = getattr(module, "static_padding", None)
        if isinstance(module, nn.Conv2d) and isinstance(padding, nn.ZeroPad2d):
            left, right, top, bottom = padding.padding
            if left == right and top == bottom:
                module.padding = (top, left)
                module.static_padding = nn.Identity()
