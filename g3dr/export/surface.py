"""From a volume to a closed surface of triangles: marching cubes, normals, fewer triangles."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from g3dr.errors import ConfigError
from g3dr.export.lattice import Region, Volume, to_world

SIMPLIFYING_TRIES = 4


@dataclass(frozen=True)
class Surface:
    """A closed surface of triangles in the world frame, counter-clockwise as seen from outside."""

    vertices: Float32[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]


def extract_surface(solid: Volume, region: Region) -> Surface:
    """Returns the surface between positive and negative values (marching cubes, Lewiner et al. 2003); watertight.

    Args:
        solid: Positive inside; where that reaches the region's border, the border closes the surface.
        region: Where the volume lies.
    """
    from skimage.measure import marching_cubes  # noqa: PLC0415  (half a second, needed for surfaces alone)

    corners, faces, _, _ = marching_cubes(_closed(solid), 0.0, gradient_direction="descent")
    cells = np.array(solid.shape)
    positions = ((corners - 0.5) * (2 / cells) - 1).clip(-1, 1)
    vertices = to_world(torch.from_numpy(positions.astype(np.float32)), region).numpy()
    return Surface(vertices, faces.astype(np.int64))


def _closed(solid: Volume) -> Float32[np.ndarray, "padded_right padded_up padded_away"]:
    """Adds a layer of emptiness, such that what is solid at the border ends half a cell further out: at the region's border."""
    padded = np.pad(solid, 1, mode="edge")
    border = np.ones(padded.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    padded[border] = -np.abs(padded[border])
    return np.asarray(padded)


def vertex_normals(surface: Surface) -> Float[np.ndarray, "vertex 3"]:
    """Returns unit normals that point outwards: those of the triangles around each vertex, weighted by area."""
    corners = surface.vertices[surface.faces].astype(np.float64)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros(surface.vertices.shape)
    for axis in range(3):
        for corner in range(3):
            normals[:, axis] += np.bincount(surface.faces[:, corner], areas[:, axis], len(normals))
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True).clip(1e-12))


def simplified(surface: Surface, tolerance: float) -> Surface:
    """Removes triangles as long as the surface moves by less than `tolerance`, world units; what comes out is closed again.

    Raises:
        ConfigError: The tolerance is not positive.
    """
    if not tolerance > 0:
        raise ConfigError("mesh.tolerance", tolerance, "more than 0 world units (the box has a side of 2)")
    for attempt in range(SIMPLIFYING_TRIES):
        # Two corners may meet in one point; a slightly smaller tolerance then leaves another triangle between them.
        simple = _simplified(surface, tolerance * 0.8**attempt)
        if len(np.unique(simple.vertices, axis=0)) == len(simple.vertices):
            return simple
    return surface


def _simplified(surface: Surface, tolerance: float) -> Surface:
    from manifold3d import Manifold, Mesh  # noqa: PLC0415

    whole = Manifold(Mesh(surface.vertices, surface.faces.astype(np.uint32)))
    simple = whole.simplify(tolerance).to_mesh()
    return Surface(np.array(simple.vert_properties[:, :3], np.float32), np.array(simple.tri_verts, np.int64))
