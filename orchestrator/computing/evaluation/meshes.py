"""The meshes of an evaluation: small GLB files that a page can carry."""

from dataclasses import dataclass

import torch

from g3dr.errors import DataError
from g3dr.export.mesh import colored
from g3dr.export.mesh_files import glb
from g3dr.export.solid import SolidOptions, solid_volume
from g3dr.export.surface import Surface, extract_surface, simplified
from g3dr.model import G3DR
from g3dr.render import NodeTable
from g3dr.types import Frames

MOST_BYTES = 600_000
_OPTIONS = SolidOptions(resolution=64)
_TOLERANCES = (0.004, 0.008, 0.016, 0.032)  # world units; a lattice cell is 0.03


@dataclass(frozen=True)
class MeshFile:
    """One object as a file.

    Attributes:
        key: Its key in the data set.
        data: The GLB file.
        triangles: How many it has.
    """

    key: str
    data: bytes
    triangles: int


@torch.inference_mode()
def mesh_file(model: G3DR, table: NodeTable, view: Frames, key: str) -> MeshFile | None:
    """Returns what lies behind the surface that the input camera sees, in fewer than 600 kB; None where nothing is solid.

    Args:
        model: The model that encoded the object.
        table: The object.
        view: Its input view, which gives the colours.
        key: Its key in the data set.
    """

    def values(points: torch.Tensor) -> torch.Tensor:
        return model.values_at(table, points[None].to(table.rows.device))[0]

    try:
        surface = extract_surface(solid_volume(values, _OPTIONS), _OPTIONS.region)
    except DataError:
        return None
    return _smallest(surface, view, key)


def _smallest(surface: Surface, view: Frames, key: str) -> MeshFile | None:
    """Simplifies as little as the limit allows."""
    for tolerance in _TOLERANCES:
        simple = simplified(surface, tolerance)
        data = glb(colored(simple, view))
        if len(data) <= MOST_BYTES:
            return MeshFile(key, data, len(simple.faces))
    return None
