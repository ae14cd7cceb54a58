"""What determines a procedural dataset."""

from dataclasses import dataclass
from typing import Literal

from g3dr.errors import ConfigError

# Further down the camera would sink below a level ground: asin(0.66 / 5).
_STEEPEST = 0.13


@dataclass(frozen=True)
class ExampleId:
    """One individual of a dataset.

    Attributes:
        species: Number of the species.
        individual: Number of the individual in its species.
        split: `train` or `test`.
    """

    species: int
    individual: int
    split: Literal["train", "test"]


@dataclass(frozen=True)
class ProceduralConfig:
    """Made-up animals with exact depth and true novel views.

    Attributes:
        species: Numbers of the species; eight body plans take turns, so 0 and 8 are differently coloured quadrupeds.
        individuals: All individuals of each species, training and held out.
        held_out: How many of them, the last ones, are the test split.
        views: True novel views of each test individual.
        resolution: Side of the pictures, pixels.
        supersampling: Colour samples per pixel along each side; depth is always that of the pixel's middle.
        shadows: Cast shadows.
        view_yaw: Novel views reach plus and minus this yaw around the input view, radians; four views are the corners.
        view_pitch: The same for pitch, radians.
        seed: Another seed makes other species.
    """

    species: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    individuals: int = 128
    held_out: int = 8
    views: int = 4
    resolution: int = 32
    supersampling: int = 2
    shadows: bool = True
    view_yaw: float = 0.3
    view_pitch: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, valid, allowed in self._rules():
            if not valid:
                raise ConfigError(f"procedural.{name}", value, allowed)

    def _rules(self) -> tuple[tuple[str, object, bool, str], ...]:
        """Returns name, value, whether it is valid, and what is allowed."""
        distinct = len(set(self.species)) == len(self.species) > 0 and min(self.species) >= 0
        return (
            ("species", self.species, distinct, "one or more different numbers of at least 0"),
            ("individuals", self.individuals, self.individuals >= 1, "1 or more"),
            ("held_out", self.held_out, 0 <= self.held_out <= self.individuals, f"0 to individuals, which is {self.individuals}"),
            ("views", self.views, self.views >= 0, "0 or more"),
            ("resolution", self.resolution, 4 <= self.resolution <= 2048, "4 to 2048 pixels"),
            ("supersampling", self.supersampling, 1 <= self.supersampling <= 8, "1 to 8"),
            ("view_yaw", self.view_yaw, 0 <= self.view_yaw <= 1, "0 to 1 radians"),
            ("view_pitch", self.view_pitch, 0 <= self.view_pitch <= _STEEPEST, f"0 to {_STEEPEST} radians, below which is the ground"),
            ("seed", self.seed, self.seed >= 0, "0 or more"),
        )
