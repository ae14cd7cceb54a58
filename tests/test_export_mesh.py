"""Solids, surfaces and mesh files, judged by a ball whose volume, colours and place are known."""

import json
import struct
from io import BytesIO

import numpy as np
import pytest
import torch
import trimesh

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.errors import ConfigError, DataError
from g3dr.export.lattice import in_picture, to_world
from g3dr.export.mesh import Mesh, colored
from g3dr.export.mesh_files import glb, ply, to_linear
from g3dr.export.solid import SolidOptions, behind, density_level, front, kept_parts, solid_volume
from g3dr.export.surface import extract_surface, simplified, vertex_normals
from g3dr.types import Frames

pytestmark = pytest.mark.unit

RADIUS = 0.5
CENTRE = (0.1, -0.05, 0.2)
DENSE = 60.0


def ball(points):
    """Raw density that crosses the level at the ball's surface; red grows to the right, blue upwards."""
    distance = (points - torch.tensor(CENTRE)).norm(dim=-1)
    color = torch.stack([(points[:, 2] + 1) / 2, torch.full_like(distance, 0.25), (points[:, 1] + 1) / 2], dim=-1)
    return torch.cat([(density_level(0.25) + DENSE * (RADIUS - distance))[:, None], color], dim=-1)


def surface_of(options):
    return extract_surface(solid_volume(ball, options), options.region)


@pytest.fixture(scope="module")
def round_surface():
    return surface_of(SolidOptions(solid="density", resolution=48))


def test_the_level_is_where_half_of_the_light_is_lost():
    level = torch.tensor(density_level(0.25))
    assert torch.exp(-torch.nn.functional.softplus(level - 1) * 0.25).item() == pytest.approx(0.5, abs=1e-6)


def test_a_ball_has_its_volume_place_and_outward_normals(round_surface):
    mesh = trimesh.Trimesh(round_surface.vertices, round_surface.faces)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.01)
    assert mesh.center_mass == pytest.approx(CENTRE, abs=0.01)
    outwards = (round_surface.vertices - CENTRE) / RADIUS
    assert (vertex_normals(round_surface) * outwards).sum(axis=-1).min() > 0.95


def test_the_box_closes_what_reaches_its_faces():
    def slab(points):
        raw = torch.where(points[:, :1].abs() < 0.52, 40.0, -40.0)
        return torch.cat([raw, torch.zeros_like(points)], dim=-1)

    options = SolidOptions(solid="density", resolution=16)
    surface = extract_surface(solid_volume(slab, options), "box")
    mesh = trimesh.Trimesh(surface.vertices, surface.faces)
    assert mesh.is_watertight
    assert mesh.bounds[:, 1:] == pytest.approx(np.array([[-1, -1], [1, 1]]), abs=1e-6)
    assert np.abs(mesh.bounds[:, 0]).max() < 0.7


def test_lattice_lines_of_the_seen_region_are_the_input_cameras_rays():
    rays = camera_rays(camera_to_world(*frontal_pose(1)), 5)
    positions = torch.stack(torch.meshgrid(torch.linspace(1, -1, 5), torch.linspace(-1, 1, 5), indexing="ij"), dim=-1).reshape(-1, 2)
    for away in (-1.0, 0.3):
        points = to_world(torch.stack([positions[:, 1], positions[:, 0], torch.full((25,), away)], dim=-1), "seen")
        directions = torch.nn.functional.normalize(points - rays.origins[0], dim=-1)
        assert torch.allclose(directions, rays.directions[0], atol=1e-6)
        assert torch.allclose(in_picture(points), torch.stack([positions[:, 1], -positions[:, 0]], dim=-1), atol=1e-6)


def test_the_front_is_where_a_ray_has_lost_half_of_its_light():
    density = np.full((40, 40, 40), -50, np.float32)
    density[:, :, 20:] = 1 + 5.0  # softplus(5) = 5.0067 a world unit
    half_lost = np.log(2) / np.logaddexp(0, 5.0)
    depth = front(density)
    assert depth[20, 20] == pytest.approx(half_lost, rel=0.001)
    assert depth[0, 0] == pytest.approx(half_lost / np.hypot(1, np.sqrt(2) * np.tan(np.radians(9))), rel=0.002)
    assert np.isinf(front(np.full((8, 8, 8), -50, np.float32))).all()


def test_fog_has_a_front_too():
    thin = front(np.full((20, 20, 20), -1.5, np.float32))
    assert np.isfinite(thin).any()
    assert thin[np.isfinite(thin)] == pytest.approx(0, abs=0.05)


def test_a_seen_solid_starts_at_the_front_and_ends_after_its_thickness():
    inside = behind(np.full((2, 2), -0.5), 40, 0.4) > 0
    steps = (np.arange(40) + 0.5) / 20 - 1
    assert (inside[0, 0] == ((steps > -0.5) & (steps < -0.1))).all()
    assert (behind(np.full((2, 2), np.inf), 40, None) < 0).all()


def test_a_mask_keeps_its_pixels_only():
    mask = np.zeros((20, 20), bool)
    mask[:10, 10:] = True
    solid = solid_volume(ball, SolidOptions(resolution=20), mask) > 0
    right, up, _ = solid.nonzero()
    assert right.min() == 10
    assert up.min() == 10
    with pytest.raises(DataError, match="nothing in the box is dense enough to be solid within the mask"):
        solid_volume(ball, SolidOptions(resolution=20), np.zeros((20, 20), bool))


def test_crumbs_go_and_cavities_are_filled():
    volume = np.full((24, 24, 24), -1, np.float32)
    volume[2:14, 2:14, 2:14] = 1
    volume[6:8, 6:8, 6:8] = -1
    volume[20:22, 20:22, 20:22] = 1
    kept = kept_parts(volume, 0.02) > 0
    assert kept[2:14, 2:14, 2:14].all()
    assert kept.sum() == 12**3
    assert (kept_parts(volume, 0.0) > 0).sum() == 12**3 + 8


def test_values_on_the_level_make_no_holes():
    volume = np.random.default_rng(0).integers(-1, 2, (12, 12, 12)).astype(np.float32)
    surface = extract_surface(kept_parts(volume, 0.0), "box")
    assert trimesh.Trimesh(surface.vertices, surface.faces).is_watertight


def test_an_empty_box_is_refused():
    with pytest.raises(DataError, match="nothing in the box is dense enough"):
        solid_volume(lambda points: torch.full((len(points), 4), -20.0), SolidOptions(resolution=8))


@pytest.mark.parametrize("options", [{"solid": "liquid"}, {"resolution": 4}, {"thickness": 0.0}, {"skin": 0.0}, {"smallest_part": 2.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(Exception, match=rf"(?s)mesh.{next(iter(options))}|{next(iter(options))}"):
        SolidOptions(**options)


def test_simplification_stays_within_its_tolerance_and_closed(round_surface):
    simple = simplified(round_surface, 0.005)
    mesh = trimesh.Trimesh(simple.vertices, simple.faces)
    assert mesh.is_watertight
    assert len(simple.faces) < len(round_surface.faces) / 2
    assert np.abs(np.linalg.norm(simple.vertices - CENTRE, axis=-1) - RADIUS).max() < 0.01
    with pytest.raises(ConfigError, match="tolerance"):
        simplified(round_surface, 0.0)


def test_seen_vertices_have_the_pictures_colour_and_hidden_ones_that_of_their_place(round_surface):
    view = Frames(torch.full((1, 3, 8, 8), 0.5), torch.full((1, 1, 8, 8), 4.9), torch.ones(1, 1, 8, 8))
    mesh = colored(round_surface, view, ball)
    near = round_surface.vertices[:, 0] < CENTRE[0] - 0.45
    assert (mesh.colors[near] == 191).all()
    far = round_surface.vertices[:, 0] > CENTRE[0] + 0.3
    expected = ball(torch.from_numpy(round_surface.vertices[far]))[:, 1:].numpy() * 255
    assert np.abs(mesh.colors[far] - expected).max() < 12
    assert (colored(round_surface, view).colors == 191).all()


@pytest.fixture(scope="module")
def painted(round_surface):
    height = round_surface.vertices[:, 1:2]
    return Mesh(round_surface, np.repeat((height - height.min()) / np.ptp(height) * 255, 3, axis=1).astype(np.uint8))


def test_a_glb_faces_the_viewer_upright_in_world_units(painted):
    mesh = next(iter(trimesh.load_scene(BytesIO(glb(painted)), file_type="glb").geometry.values()))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.01)
    x, y, z = CENTRE
    assert mesh.center_mass == pytest.approx((z, y, -x), abs=0.01)


def test_a_glb_has_linear_colours_of_16_bits_and_an_unlit_material(painted):
    data = glb(painted)
    length = struct.unpack_from("<I", data, 12)[0]
    tree, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    attributes = tree["meshes"][0]["primitives"][0]["attributes"]
    accessor = tree["accessors"][attributes["COLOR_0"]]
    assert (accessor["componentType"], accessor["normalized"], accessor["type"]) == (5123, True, "VEC4")
    begin = tree["bufferViews"][accessor["bufferView"]]["byteOffset"]
    stored = np.frombuffer(binary, np.uint16, 4 * accessor["count"], begin).reshape(-1, 4)
    assert np.abs(stored[:, :3] / 65535 - to_linear(painted.colors)).max() < 1e-4
    assert "KHR_materials_unlit" in tree["materials"][0]["extensions"]
    assert tree["extensionsUsed"] == ["KHR_materials_unlit"]


def test_srgb_becomes_linear_light():
    values = to_linear(np.array([[0, 128, 255]], np.uint8))[0]
    assert values == pytest.approx([0, 0.21586, 1], abs=1e-4)


def test_a_ply_keeps_colours_as_they_are(painted):
    mesh = trimesh.load(BytesIO(ply(painted)), file_type="ply", process=False)
    assert mesh.is_watertight
    assert (mesh.visual.vertex_colors[:, :3] == painted.colors).all()
