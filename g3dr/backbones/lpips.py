"""LPIPS with VGG-16 [Zhang et al., 2018]: five stages of an ImageNet network, calibrated channel by channel.

The calibration weights come with torchmetrics, the network's with torchvision.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from g3dr.backbones.finding import find_weights
from g3dr.backbones.pictures import standardized, unit_length
from g3dr.backbones.places import sha256_of
from g3dr.backbones.reading import read_tensors
from g3dr.errors import CheckpointError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
STAGE_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _layers() -> Iterator[nn.Module]:
    channels = 3
    for stage, widths in enumerate(STAGE_WIDTHS):
        if stage > 0:
            yield nn.MaxPool2d(2)
        for width in widths:
            yield nn.Conv2d(channels, width, 3, padding=1)
            yield nn.ReLU()
            channels = width


def _stage_ends() -> list[int]:
    """Returns the index of the last layer of each stage: two layers per convolution and a pooling between stages."""
    ends, layer = [], -1
    for stage, widths in enumerate(STAGE_WIDTHS):
        layer += 2 * len(widths) + (1 if stage > 0 else 0)
        ends.append(layer)
    return ends


def load_vgg16(weights: Path) -> nn.Sequential:
    """Returns VGG-16's convolutional layers, frozen.

    Raises:
        CheckpointError: The file holds other tensors than torchvision's VGG-16.
    """
    state = read_tensors(weights)
    features = nn.Sequential(*_layers())
    try:
        features.load_state_dict({name.removeprefix("features."): tensor for name, tensor in state.items() if name.startswith("features.")})
    except RuntimeError as error:
        raise CheckpointError(f"{weights} does not hold the weights of torchvision's VGG-16.") from error
    return features.eval().requires_grad_(False)  # noqa: FBT003 (torch's signature)


def load_calibration() -> list[Tensor]:
    """Returns the five vectors of channel weights, none negative.

    Raises:
        WeightsMissingError: torchmetrics, which ships them, is not installed.
    """
    state = read_tensors(find_weights("lpips-calibration"))
    return [state[f"lin{stage}.model.1.weight"].flatten() for stage in range(len(STAGE_WIDTHS))]


class LpipsVgg16(nn.Module):
    """The features behind LPIPS.

    Args:
        features: VGG-16's convolutional layers.
        calibration: The channel weights of each stage.
        sha256: Hash of the network's weights.
    """

    name = "lpips-vgg16"

    def __init__(self, features: nn.Sequential, calibration: Sequence[Tensor], sha256: str) -> None:
        super().__init__()
        self.sha256 = sha256
        self.features = features
        self.stage_ends = _stage_ends()
        for stage, weights in enumerate(calibration):
            self.register_buffer(f"root{stage}", weights.clamp(min=0).sqrt().view(1, -1, 1, 1))

    @classmethod
    def load(cls, weights: Path) -> "LpipsVgg16":
        """Reads the network from a file and the calibration from torchmetrics."""
        return cls(load_vgg16(weights), load_calibration(), sha256_of(weights))

    def stage_features(
        self, images: Float[Tensor, "batch 3 height width"], deepest: int | None = None
    ) -> Sequence[Float[Tensor, "batch feature stage_height stage_width"]]:
        """Returns the calibrated unit-length features at the picture's own size, which must be 16 pixels or more."""
        hidden, stages = standardized(images, MEAN, STD), []
        for index, layer in enumerate(self.features):
            hidden = layer(hidden)
            if index in self.stage_ends:
                stages.append(hidden)
        calibrated = [(stage, self.get_buffer(f"root{index}")) for index, stage in enumerate(stages)]
        kept = calibrated if deepest is None else calibrated[-deepest:]
        return [unit_length(stage) * root for stage, root in kept]
