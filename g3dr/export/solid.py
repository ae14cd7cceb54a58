"""What is solid: from the density of a field to a volume whose positive part is the object."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from g3dr.errors import ConfigError, DataError
from g3dr.export.lattice import HALF_PICTURE, Field, Region, Volume, sample_density, steps

Solid = Literal["seen", "density"]
Mask = Bool[np.ndarray, "right up away"]
PictureMask = Bool[np.ndarray, "height width"]
Front = Float[np.ndarray, "right up"]

LEAST_EXCESS = 1e-3  # as part of the distance between samples: keeps corners of the surface apart that would fall on one sample

LEAST_THICKNESS = 0.01  # optical: a box that swallows less than a hundredth of the light is empty
TIE_BREAK = 0.02  # part of a value, so at most this part of a cell


@dataclass(frozen=True)
class SolidOptions:
    """What becomes solid.

    Attributes:
        solid: `seen`: what lies behind the surface that the input camera sees, where a ray has lost half of its light; it ends
            where the field of view ends. `density`: whatever is dense in the whole box, also what no camera of the training saw.
        resolution: Samples along each axis of the lattice.
        thickness: How far a `seen` solid goes on behind its surface, world units; None for the back of the box.
        skin: Of a `density` solid: within this length, world units, solid matter swallows half of the light; thinner matter is fog.
        smallest_part: Parts of less than this fraction of the largest one's volume are left out; 1 keeps the largest alone.
    """

    solid: Solid = "seen"
    resolution: int = 128
    thickness: float | None = None
    skin: float = 0.25
    smallest_part: float = 0.02

    def __post_init__(self) -> None:
        for name, good, allowed in (
            ("solid", self.solid in ("seen", "density"), "seen or density"),
            ("resolution", 8 <= self.resolution <= 512, "8 to 512"),
            ("thickness", self.thickness is None or self.thickness > 0, "more than 0 world units (the box has a side of 2)"),
            ("skin", self.skin > 0, "more than 0 world units"),
            ("smallest_part", 0 <= self.smallest_part <= 1, "between 0 and 1"),
        ):
            if not good:
                raise ConfigError(f"mesh.{name}", getattr(self, name), allowed)

    @property
    def region(self) -> Region:
        """Where the lattice lies."""
        return "seen" if self.solid == "seen" else "box"


def solid_volume(field: Field, options: SolidOptions, mask: PictureMask | None = None, blur: int = 0) -> Volume:
    """Returns a volume that is positive inside the object, in units that grow evenly across its surface.

    Args:
        field: Density of the object.
        options: What counts.
        mask: The pixels of the input view that belong to the object; None for all. A `density` solid takes none.
        blur: Lattice points over which the model mixes object and background at the object's outline; with a mask the outline
            gets the nearest depth that far around, else it would be drawn out towards the background.

    Raises:
        DataError: Nothing is solid.
    """
    density = sample_density(field, options.region, options.resolution)
    if options.solid == "density":
        excess = density - np.float32(density_level(options.skin))
    else:
        surface = front(density)
        if mask is not None and blur > 0:
            surface = _nearest_around(surface, blur)
        excess = behind(surface, options.resolution, options.thickness)
        if mask is not None:
            excess = np.where(_on_lattice(mask, options.resolution)[..., None], excess, -np.abs(excess))
    if not (excess > 0).any():
        raise DataError("nothing in the box is dense enough to be solid" + ("" if mask is None else " within the mask"))
    return kept_parts(excess, options.smallest_part)


def density_level(skin: float) -> float:
    """Returns the raw density at which half of the light is lost within `skin` world units: softplus(level - 1) = ln 2 / skin."""
    density = math.log(2) / skin
    return 1 + density + math.log(-math.expm1(-density))


def front(density: Volume) -> Front:
    """Returns how far away the input camera's rays have lost half of their light, as a lattice position; infinite where they do not.

    In fog, where no ray loses that much, half of the greatest loss counts instead.

    Args:
        density: Raw density in the region `seen`, whose lattice lines are the rays.
    """
    resolution = len(density)
    across = steps(resolution).numpy() * HALF_PICTURE
    lengths = 2 / resolution * np.sqrt(1 + across[:, None] ** 2 + across**2)
    thickness = np.logaddexp(0, density - 1) * lengths[..., None].astype(np.float32)
    passed = np.cumsum(thickness, axis=-1)
    level = min(math.log(2), float(passed.max()) / 2) if passed.max() > LEAST_THICKNESS else math.inf
    cell = (passed < level).sum(axis=-1)
    inside = np.minimum(cell, resolution - 1)[..., None]
    last, own = np.take_along_axis(passed, inside, -1), np.take_along_axis(thickness, inside, -1)
    fraction = 1 - (last - level) / np.maximum(own, 1e-12)
    position = (inside + fraction)[..., 0] * (2 / resolution) - 1
    return np.asarray(np.where(cell < resolution, position, np.inf))


def _nearest_around(surface: Front, reach: int) -> Front:
    from scipy.ndimage import minimum_filter  # noqa: PLC0415

    return np.asarray(minimum_filter(surface, size=2 * reach + 1))


def behind(surface: Front, resolution: int, thickness: float | None) -> Volume:
    """Returns how far lattice points lie behind the surface, or before the end of the solid if that is nearer; world units."""
    distance = steps(resolution).numpy() - np.minimum(surface, 3.0)[..., None]
    inside = distance if thickness is None else np.minimum(distance, thickness - distance)
    return np.asarray(inside, np.float32)


def _on_lattice(mask: PictureMask, resolution: int) -> Bool[np.ndarray, "right up"]:
    """Reads a mask at the lattice's rays; nearest pixel."""
    height, width = mask.shape
    rows = np.rint((1 - steps(resolution).numpy()) / 2 * (height - 1)).astype(int)
    columns = np.rint((steps(resolution).numpy() + 1) / 2 * (width - 1)).astype(int)
    return np.asarray(mask[rows][:, columns].T)


def kept_parts(excess: Volume, smallest_part: float) -> Volume:
    """Empties small parts and fills closed cavities, which nobody can see.

    Args:
        excess: Positive is solid.
        smallest_part: As in `SolidOptions`.
    """
    kept = _large_parts(excess > 0, smallest_part)
    filled = ~_reaching_border(~kept)
    size = np.maximum(np.abs(excess), np.float32(LEAST_EXCESS * 2 / len(excess)))
    # Marching cubes leaves holes where opposite corners of a face tie; exact ties come from masks and from flat fronts.
    size *= 1 + np.float32(TIE_BREAK) * np.random.default_rng(0).random(size.shape, np.float32)
    return np.asarray(np.where(filled, size, -size))


def _large_parts(solid: Mask, smallest_part: float) -> Mask:
    from scipy.ndimage import label  # noqa: PLC0415  (half a second, needed for solids alone)

    parts, _ = label(solid)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= max(1.0, smallest_part * sizes.max()))[parts])


def _reaching_border(empty: Mask) -> Mask:
    """Returns the part of `empty` that is connected to the outside."""
    from scipy.ndimage import label  # noqa: PLC0415

    parts, _ = label(np.pad(empty, 1, constant_values=True))
    return np.asarray((parts == parts[0, 0, 0])[1:-1, 1:-1, 1:-1])
