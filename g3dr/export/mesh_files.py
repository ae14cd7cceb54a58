"""Meshes as files that other programs read: GLB for browsers and engines, PLY for mesh tools.

Both have glTF's frame: +y up, the object faces +z, so that a viewer first shows what the input camera saw. One unit of the
file is one world unit; the box is [-1, 1]^3 there too.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

from g3dr.export.mesh import Mesh

_GLTF_UNSIGNED_SHORT = 5123
_UNLIT = "KHR_materials_unlit"


def to_gltf_frame(points: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 3"]:
    """Turns the world about its vertical axis: what looks towards the input camera (-x) looks along +z."""
    return np.stack([points[:, 2], points[:, 1], -points[:, 0]], axis=-1)


def to_linear(colors: UInt8[np.ndarray, "vertex channel"]) -> Float[np.ndarray, "vertex channel"]:
    """Undoes the transfer function of sRGB (IEC 61966-2-1): from 0 to 255 to light in [0, 1]."""
    encoded = colors / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def glb(mesh: Mesh) -> bytes:
    """Returns a binary glTF 2.0 file.

    Vertex colours of glTF are linear light; 16 bits keep dark ones apart. The material is unlit, because the colours come
    from a picture and have its light in them; viewers without that extension show a rough, non-metallic surface.
    """
    from trimesh.exchange.gltf import export_glb  # noqa: PLC0415  (a second, needed for files alone)

    linear = np.rint(to_linear(mesh.colors) * 65535).astype(np.uint16)

    def finish(buffers: dict[Any, bytes], tree: dict[str, Any]) -> None:
        _replace_colors(buffers, tree, linear)
        _add_material(tree)

    return bytes(export_glb(_trimesh(mesh).scene(), include_normals=True, buffer_postprocessor=finish))


def ply(mesh: Mesh) -> bytes:
    """Returns a binary PLY file with 8-bit sRGB vertex colours."""
    from trimesh.exchange.ply import export_ply  # noqa: PLC0415

    return bytes(export_ply(_trimesh(mesh), encoding="binary", vertex_normal=False))


def _trimesh(mesh: Mesh) -> Any:
    from trimesh import Trimesh  # noqa: PLC0415

    opaque = np.concatenate([mesh.colors, np.full((len(mesh.colors), 1), 255, np.uint8)], axis=1)
    return Trimesh(to_gltf_frame(mesh.surface.vertices), mesh.surface.faces, vertex_colors=opaque, process=False)


def _replace_colors(buffers: dict[Any, bytes], tree: dict[str, Any], linear: UInt16[np.ndarray, "vertex 3"]) -> None:
    """Puts 16-bit colours in the place of the 8-bit ones that trimesh wrote."""
    number = tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]
    accessor = list(tree["accessors"].values())[number]
    name = list(buffers)[accessor["bufferView"]]
    opaque = np.concatenate([linear, np.full((len(linear), 1), 65535, np.uint16)], axis=1)
    buffers[name] = opaque.tobytes()
    accessor["componentType"] = _GLTF_UNSIGNED_SHORT


def _add_material(tree: dict[str, Any]) -> None:
    plain = {"baseColorFactor": [1.0, 1.0, 1.0, 1.0], "metallicFactor": 0.0, "roughnessFactor": 1.0}
    tree["materials"] = [{"pbrMetallicRoughness": plain, "extensions": {_UNLIT: {}}}]
    tree["meshes"][0]["primitives"][0]["material"] = 0
    tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", ()), _UNLIT})
