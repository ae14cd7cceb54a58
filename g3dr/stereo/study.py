"""Which similarity errs least: block matching of procedural pairs against their true disparity, over windows and disturbances.

Every measure sees the same pictures with the same noise, so differences between measures are differences within scenes.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from g3dr.errors import ConfigError
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.species import make_species
from g3dr.stereo.matching import StereoOptions, match
from g3dr.stereo.measures import MEASURES, Measure
from g3dr.stereo.scenes import StereoPair, largest_disparity, make_pair

WRONG_PIXELS = 1.0
"""A disparity that is off by more than this many pixels is wrong."""

_SALT = 6007
Values = Float64[np.ndarray, "condition measure window scene"]


@dataclass(frozen=True)
class Condition:
    """What happens to the pictures of a pair before they are matched, in this order; both are then cut to [0, 1] and 8 bits.

    Attributes:
        gain: The right picture is multiplied by this.
        offset: This is added to the right picture; white is 1.
        noise: Standard deviation of normal noise that is added to both; white is 1.
    """

    gain: float = 1.0
    offset: float = 0.0
    noise: float = 0.0

    @property
    def name(self) -> str:
        """What people call it."""
        exposure = [f"right picture x {self.gain:g}"] if self.gain != 1 else []
        exposure += [f"right picture {self.offset:+g}"] if self.offset else []
        noise = [f"noise {self.noise:g}"] if self.noise else []
        return ", ".join(exposure + noise) or "undisturbed"


CONDITIONS = (
    Condition(),
    Condition(noise=0.02),
    Condition(noise=0.05),
    Condition(noise=0.1),
    Condition(gain=0.8),
    Condition(offset=0.1),
)
"""More and more noise, another exposure, stray light."""


@dataclass(frozen=True)
class StudyOptions:
    """How much is measured.

    Attributes:
        scenes: Procedural animals, each of another species.
        resolution: Side of the pictures, pixels.
        baseline: Distance of the cameras, world units.
        windows: Sides of the compared windows, pixels; odd, ascending.
        conditions: What happens to the pictures.
        seed: Of animals and noise.
    """

    scenes: int = 12
    resolution: int = 128
    baseline: float = 0.5
    windows: tuple[int, ...] = (3, 5, 7, 9, 11, 15)
    conditions: tuple[Condition, ...] = CONDITIONS
    seed: int = 0

    def __post_init__(self) -> None:
        for name, valid, allowed in (
            ("scenes", self.scenes >= 3, "3 or more, for there is no interval over fewer"),
            ("resolution", 32 <= self.resolution <= 1024, "32 to 1024 pixels"),
            ("windows", list(self.windows) == sorted(set(self.windows)) != [], "one or more, ascending"),
            ("conditions", bool(self.conditions), "one or more"),
            ("seed", self.seed >= 0, "0 or more"),
        ):
            if not valid:
                raise ConfigError(f"study.{name}", getattr(self, name), allowed)


@dataclass(frozen=True)
class StudyResult:
    """What was measured; only pixels that both pictures show count.

    Attributes:
        options: What was asked for.
        wrong: Share of the pixels whose disparity is off by more than one pixel.
        error: Mean absolute error of the disparity, pixels.
        believed: Share of the pixels that both pictures agree on.
        believed_wrong: Share of wrong ones among those.
    """

    options: StudyOptions
    wrong: Values
    error: Values
    believed: Values
    believed_wrong: Values
    measures: tuple[Measure, ...] = field(default=MEASURES)

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings and lists; the axes of the values are condition, measure, window, scene."""
        values = {name: getattr(self, name).round(6).tolist() for name in ("wrong", "error", "believed", "believed_wrong")}
        names = [condition.name for condition in self.options.conditions]
        return {"options": asdict(self.options), "conditions": names, "measures": list(self.measures), **values}


def run_study(options: StudyOptions, progress: Callable[[int, int], None] | None = None) -> StudyResult:
    """Matches every scene under every condition with every measure and window; the same options give the same numbers.

    Args:
        options: How much.
        progress: Called with the scenes done and all scenes, after each.
    """
    scenes = []
    for number in range(options.scenes):
        scenes.append(_measure_scene(options, number))
        if progress is not None:
            progress(number + 1, options.scenes)
    values = np.stack(scenes, axis=-1)
    return StudyResult(options, *values)


def example_pair(options: StudyOptions, number: int = 0) -> StereoPair:
    """Returns the undisturbed pair of a scene."""
    individual = make_individual(make_species(number, options.seed), number, options.seed)
    return make_pair(individual, options.resolution, options.baseline)


def disturbed(pair: StereoPair, condition: Condition, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Returns left and right as cameras would have stored them under a condition, channels first, in [0, 1]."""
    right = pair.right * condition.gain + condition.offset
    return _stored(pair.left, condition.noise, generator), _stored(right, condition.noise, generator)


def _stored(rgb: np.ndarray, noise: float, generator: np.random.Generator) -> Tensor:
    noisy = rgb + noise * generator.standard_normal(rgb.shape)
    levels = np.rint(noisy.clip(0, 1) * 255) / 255
    return torch.from_numpy(levels.astype(np.float32)).movedim(-1, 0).contiguous()


def _measure_scene(options: StudyOptions, number: int) -> Float64[np.ndarray, "value condition measure window"]:
    pair = example_pair(options, number)
    return np.stack([_measure_condition(options, pair, number, index) for index in range(len(options.conditions))], axis=1)


def _measure_condition(options: StudyOptions, pair: StereoPair, number: int, index: int) -> Float64[np.ndarray, "value measure window"]:
    left, right = disturbed(pair, options.conditions[index], np.random.default_rng([options.seed, _SALT, number, index]))
    most = largest_disparity(options.resolution, options.baseline)
    rows = [[_errors(pair, left, right, StereoOptions(name, window, 0, most)) for window in options.windows] for name in MEASURES]
    return np.moveaxis(np.array(rows, dtype=np.float64), -1, 0)


def _errors(pair: StereoPair, left: Tensor, right: Tensor, options: StereoOptions) -> tuple[float, float, float, float]:
    """Returns the share of wrong pixels, the mean error, the share of believed pixels, and the share of wrong ones among those."""
    found = match(left, right, options)
    off = np.abs(found.disparity.numpy() - pair.disparity)[pair.visible]
    believed = found.consistent.numpy()[pair.visible]
    wrong = off > WRONG_PIXELS
    return float(wrong.mean()), float(off.mean()), float(believed.mean()), float(wrong[believed].mean()) if believed.any() else 0.0
