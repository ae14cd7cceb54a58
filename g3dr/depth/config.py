"""What determines the small depth network and how its training pictures are disguised."""

from dataclasses import dataclass

from g3dr.errors import ConfigError

STRIDE = 32
ENCODER_STAGES = 5


@dataclass(frozen=True)
class DepthNetworkConfig:
    """A small network that estimates relative disparity from one picture: EfficientNet-Lite0 and a light decoder.

    Attributes:
        resolution: Side of the training pictures, and the short side at which any picture is looked at, pixels; divisible by 32.
        width: Channels of the decoder, half of them at the finest level; divisible by 16, twice the number of groups of its norms.
        frozen_stages: How many of the encoder's five stages keep their ImageNet weights, the first ones; its batch norms always keep
            their statistics.
        scenes: Share of the training pictures whose things are moved into other surroundings.
        repainted: Share of the things there that get another texture under their own shading.
        least_crop: Smallest side of a crop, as a share of the picture's.
        roll: Largest rotation of the picture, degrees.
        camera: Strength of blur, noise, haze, colour changes and compression, 0 for none.
        withheld: Share of the encoder's channels that the decoder does not get to see of a training picture, other ones for each: so that
            it relies on no single feature, which may mean something else in photographs.
        gradient_weight: Weight of the gradient term of the loss [Ranftl et al. 2020, equation 11].
        gradient_scales: Scales at which gradients are compared, each half the size of the one before.
        trim: Share of the worst pixels of a picture that do not count; for depth that is wrong in places.
        average_decay: Decay of the moving average of the weights, which is what is used; 0 for none.
    """

    resolution: int = 128
    width: int = 48
    frozen_stages: int = 5
    scenes: float = 0.75
    repainted: float = 0.7
    least_crop: float = 0.5
    roll: float = 8.0
    camera: float = 1.0
    withheld: float = 0.3
    gradient_weight: float = 0.5
    gradient_scales: int = 4
    trim: float = 0.0
    average_decay: float = 0.998

    def __post_init__(self) -> None:
        for name, valid, allowed in self._rules():
            if not valid:
                raise ConfigError(f"network.depth.{name}", getattr(self, name), allowed)

    def _rules(self) -> tuple[tuple[str, bool, str], ...]:
        """Returns name, whether it is valid, and what is allowed."""
        return (
            ("resolution", self.resolution > 0 and self.resolution % STRIDE == 0, f"a positive multiple of {STRIDE}"),
            ("width", self.width > 0 and self.width % 16 == 0, "a positive multiple of 16"),
            ("frozen_stages", 0 <= self.frozen_stages <= ENCODER_STAGES, f"0 to {ENCODER_STAGES}"),
            ("scenes", 0 <= self.scenes <= 1, "between 0 and 1"),
            ("repainted", 0 <= self.repainted <= 1, "between 0 and 1"),
            ("least_crop", 0 < self.least_crop <= 1, "more than 0, at most 1"),
            ("roll", 0 <= self.roll <= 45, "0 to 45 degrees"),
            ("camera", 0 <= self.camera <= 1, "between 0 and 1"),
            ("withheld", 0 <= self.withheld < 1, "0 to less than 1"),
            ("gradient_weight", self.gradient_weight >= 0, "0 or more"),
            ("gradient_scales", 1 <= self.gradient_scales <= 6, "1 to 6"),
            ("trim", 0 <= self.trim < 1, "0 to less than 1"),
            ("average_decay", 0 <= self.average_decay < 1, "0 to less than 1"),
        )
