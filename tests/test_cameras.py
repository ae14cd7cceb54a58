"""Poses, rays and orbits against golden numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose, orbit_poses, spherical_position
from g3dr.render.limits import box_limits
from g3dr.types import Rays

pytestmark = pytest.mark.numeric
GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDENS / "camera.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def test_poses_match_the_golden(golden):
    angles = golden["angles"]
    torch.testing.assert_close(camera_to_world(angles[:, 0], angles[:, 1]), golden["cam2world"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("fov", "key"), [(18.0, "ray_directions"), (40.0, "wide_ray_directions")])
def test_rays_match_the_golden(golden, fov, key):
    rays = camera_rays(golden["cam2world"], int(golden["resolution"]), fov)
    torch.testing.assert_close(rays.directions, golden[key], rtol=0, atol=2e-5)
    torch.testing.assert_close(rays.origins, golden["ray_origins"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("directions", "near", "far"), [("ray_directions", "ray_near", "ray_far"), ("wide_ray_directions", "wide_near", "wide_far")]
)
def test_limits_match_the_golden_where_rays_hit(golden, directions, near, far):
    limits = box_limits(Rays(golden["ray_origins"], golden[directions]))
    expected_hit = golden[far][..., 0] > golden[near][..., 0]
    assert torch.equal(limits.hit, expected_hit)
    torch.testing.assert_close(limits.near[expected_hit], golden[near][..., 0][expected_hit], rtol=0, atol=1e-4)
    torch.testing.assert_close(limits.far[expected_hit], golden[far][..., 0][expected_hit], rtol=0, atol=1e-4)
    assert limits.near.isfinite().all()
    assert limits.far.isfinite().all()


def test_limits_of_rays_from_inside_and_away_from_the_box():
    rays = Rays(torch.tensor([[[0.0, 0, 0], [0, 3, 0], [0, 1.5, 0]]]), torch.tensor([[[0.0, 0, 1], [0, 1, 0], [1, 0, 0]]]))
    limits = box_limits(rays)
    assert limits.hit.tolist() == [[True, False, False]]
    assert limits.near[0, 0] == 0
    assert limits.far[0, 0] == 1


def test_orbit_matches_the_golden(golden):
    yaw, pitch = orbit_poses(int(golden["orbit_num_frames"]))
    torch.testing.assert_close(torch.stack([yaw, pitch], dim=1), golden["orbit_angles"][:, :2], rtol=0, atol=1e-5)
    torch.testing.assert_close(camera_to_world(yaw, pitch), golden["orbit_cam2world"], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        camera_rays(camera_to_world(yaw, pitch), 4).directions, golden["orbit_ray_directions_4x4"], rtol=0, atol=2e-5
    )


def test_the_frontal_camera_stands_on_the_negative_x_axis():
    pose = camera_to_world(*frontal_pose(2))
    torch.testing.assert_close(pose[:, :3, 3], torch.tensor([[-5.0, 0, 0]]).expand(2, 3), rtol=0, atol=1e-6)


def test_poses_that_look_elsewhere_match_the_golden(golden):
    angles, (yaw, pitch, distance) = golden["angles"], golden["look_at_sph"].unbind(1)
    pose = camera_to_world(angles[:, 0], angles[:, 1], golden["radius"], spherical_position(yaw, pitch, distance))
    torch.testing.assert_close(pose, golden["cam2world_look_at"], rtol=0, atol=1e-5)
