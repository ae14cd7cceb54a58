"""Colours of a surface: what the input camera sees there, or what the decoder says about the place."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from g3dr.cameras import RADIUS
from g3dr.export.lattice import Field, in_picture, values_in_parts
from g3dr.export.surface import Surface, vertex_normals
from g3dr.render.compositing import composite
from g3dr.types import Frames

SHORT_RAY = 0.1
SHORT_RAY_SAMPLES = 8
SEEN_TOLERANCE = 0.1  # rendered depth is a mean over what a ray passes, so the surface lies a little before or behind it

Colors = Float[Tensor, "vertex 3"]


@dataclass(frozen=True)
class Mesh:
    """A closed surface with a colour at every vertex.

    Attributes:
        surface: Vertices and triangles, world frame.
        colors: Red, green, blue as in a picture (sRGB), 0 to 255.
    """

    surface: Surface
    colors: UInt8[np.ndarray, "vertex 3"]


def colored(surface: Surface, view: Frames, field: Field | None = None) -> Mesh:
    """Colours a surface.

    Vertices take the colour of the pixel that the input camera's ray through them gets. A model learns such sums of colours along
    rays, not the colour of each place: those differ a lot where nothing but their sum was ever compared with a picture.

    Args:
        surface: What to colour.
        view: The object rendered from the input camera.
        field: Gives vertices that the input camera does not see the colour of a short ray into the surface; None extends the
            colours of what hides them.
    """
    vertices = torch.from_numpy(surface.vertices)
    colors = _read(view.rgb, vertices)
    if field is not None:
        hidden = ~_seen(view, vertices)
        colors[hidden] = _short_ray_colors(surface, hidden, field)
    return Mesh(surface, ((colors.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy())


def _read(picture: Float[Tensor, "1 channel height width"], vertices: Float[Tensor, "vertex 3"]) -> Float[Tensor, "vertex channel"]:
    """Reads a picture of the input view where it shows the vertices; beyond its border, its border."""
    grid = in_picture(vertices)[None, None]
    return F.grid_sample(picture.float().cpu(), grid, align_corners=True, padding_mode="border")[0, :, 0].t().contiguous()


def _seen(view: Frames, vertices: Float[Tensor, "vertex 3"]) -> Bool[Tensor, "vertex"]:
    distance = (vertices + torch.tensor([RADIUS, 0.0, 0.0])).norm(dim=-1)
    inside = (in_picture(vertices).abs() <= 1).all(dim=-1)
    seen: Tensor = inside & (distance < _read(view.depth, vertices)[:, 0] + SEEN_TOLERANCE)
    return seen


def _short_ray_colors(surface: Surface, chosen: Bool[Tensor, "vertex"], field: Field) -> Float[Tensor, "chosen 3"]:
    """Composites a few samples from outside of the surface to inside; what shines through has the same colour, not black."""
    inwards = -torch.from_numpy(vertex_normals(surface)).float()[chosen, None]
    distances = torch.linspace(-SHORT_RAY, SHORT_RAY, SHORT_RAY_SAMPLES)
    points = torch.from_numpy(surface.vertices)[chosen, None] + inwards * distances[:, None]
    values = values_in_parts(field, points.reshape(-1, 3)).cpu().reshape(1, len(points), SHORT_RAY_SAMPLES, -1)[..., :4]
    rendering = composite(values, distances.expand(1, len(points), -1), torch.ones(1, len(points), dtype=torch.bool))
    return (rendering.rgb[0] + 1) / rendering.opacity[0, :, None].clamp(min=1e-6) - 1
