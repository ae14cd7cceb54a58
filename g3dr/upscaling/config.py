"""What determines an upscaler."""

from dataclasses import dataclass

from g3dr.errors import ConfigError

FACTOR = 2
"""How many times more pixels a side has afterwards."""


@dataclass(frozen=True)
class UpscalerConfig:
    """A small residual network that doubles the sides of pictures.

    Attributes:
        resolution: Side of the pictures that it learns from, pixels; it is shown their halves, and later takes pictures of any size.
        width: Channels of its layers.
        blocks: Residual blocks of two layers.
    """

    resolution: int = 64
    width: int = 32
    blocks: int = 4

    def __post_init__(self) -> None:
        for name, good, allowed in (
            ("resolution", self.resolution >= 8 and self.resolution % FACTOR == 0, f"8 or more, divisible by {FACTOR}"),
            ("width", self.width >= 1, "1 or more"),
            ("blocks", self.blocks >= 0, "0 or more"),
        ):
            if not good:
                raise ConfigError(f"network.upscaler.{name}", getattr(self, name), allowed)
