"""From an estimator's numbers to distances: order, ends, geometry, and back."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.depth import Measure, to_disparity, to_distance
from g3dr.depth.mapping import FARTHEST_PLANE, ray_lengths
from g3dr.errors import DataError
from g3dr.pictures import decode_depth, encode_depth
from g3dr.procedural import ExampleId, ProceduralConfig, make_example

pytestmark = pytest.mark.unit

DISPARITY, METRIC, AFFINE = Measure("disparity", is_scaled=False), Measure("depth", is_scaled=True), Measure("depth", is_scaled=False)
LAST = 6 - 2 / 65536
CONFIG = ProceduralConfig(species=(0, 1, 6), individuals=2, held_out=0, resolution=48, supersampling=1, shadows=False)


@pytest.fixture(scope="module", params=CONFIG.species)
def truth(request):
    """The true distances of an animal, and its planar depth."""
    distance = decode_depth(make_example(CONFIG, ExampleId(request.param, 0, "train")).depth).astype(np.float64)
    return distance, distance / ray_lengths(*distance.shape)


def test_rays_are_those_of_the_camera():
    directions = camera_rays(camera_to_world(*frontal_pose(1)), 9).directions[0].numpy()
    # The camera looks along +x: the plane at depth 1 is met at 1 / x.
    assert np.allclose(ray_lengths(9, 9).ravel(), 1 / directions[:, 0], atol=1e-6)


def test_rays_of_the_middle_square_are_those_of_the_square():
    wide, tall = ray_lengths(8, 13), ray_lengths(11, 8)
    assert np.allclose(wide[:, 2:10], ray_lengths(8, 8))
    assert np.allclose(tall[1:9], ray_lengths(8, 8))
    assert wide[0, 0] > wide[0, 2]


@pytest.mark.parametrize("tail", [0.0, 0.001])
def test_a_perfect_disparity_gives_the_true_depth_up_to_scale_and_shift(truth, tail):
    distance, planar = truth
    # What MiDaS would say at its best: the inverse depth in units and with a zero of its own.
    found = to_distance(17.0 / planar - 3.0, DISPARITY, tail)
    inside = (found / ray_lengths(*found.shape) > 4 + 1e-9) & (found / ray_lengths(*found.shape) < FARTHEST_PLANE - 1e-9)
    true_inverse, inverse = 1 / planar[inside], (ray_lengths(*found.shape) / found)[inside]
    assert np.abs(np.polyval(np.polyfit(inverse, true_inverse, 1), inverse) - true_inverse).max() < 1e-12
    order = spearmanr((found / ray_lengths(*found.shape))[inside], planar[inside]).statistic
    assert order == pytest.approx(1, abs=1e-12)
    assert spearmanr(found.ravel(), distance.ravel()).statistic > 0.99


def test_a_disparity_that_touches_both_ends_of_the_box_gives_back_every_distance(truth):
    _, planar = truth
    stretched = 4 + (planar - planar.min()) / (planar.max() - planar.min()) * (FARTHEST_PLANE - 4)
    found = to_distance(0.3 / stretched + 0.1, DISPARITY, tail=0.0)
    assert np.allclose(found, stretched * ray_lengths(*planar.shape), atol=1e-9)


def test_planes_stay_planes_whatever_the_scale_and_shift():
    down, across = np.mgrid[0:20, 0:20] / 19 - 0.5
    planar = 1 / (0.2 + 0.03 * down + 0.01 * across)  # a tilted ground
    found = to_distance(5 / planar + 2, DISPARITY, tail=0.0) / ray_lengths(20, 20)
    height, width = down * found, across * found
    columns = np.stack([height.ravel(), width.ravel(), np.ones(400)], axis=1)
    _, residual, *_ = np.linalg.lstsq(columns, found.ravel(), rcond=None)
    assert residual[0] < 1e-20
    bent = to_distance(-5 / planar, AFFINE, tail=0.0) / ray_lengths(20, 20)
    columns = np.stack([(down * bent).ravel(), (across * bent).ravel(), np.ones(400)], axis=1)
    assert np.linalg.lstsq(columns, bent.ravel(), rcond=None)[1][0] > 1e-3


def test_metres_are_stretched_like_disparity(truth):
    _, planar = truth
    assert np.allclose(to_distance(planar * 0.4, METRIC), to_distance(1 / planar, DISPARITY), atol=1e-4)


def test_affine_depth_is_stretched_as_it_is(truth):
    _, planar = truth
    found = to_distance(planar * 0.1 + 80, AFFINE, tail=0.0) / ray_lengths(*planar.shape)
    assert np.allclose(np.polyval(np.polyfit(planar.ravel(), found.ravel(), 1), planar), found)
    assert (found.min(), found.max()) == pytest.approx((4, FARTHEST_PLANE))


def test_distances_in_world_units_come_back(truth):
    distance, _ = truth
    assert np.array_equal(to_distance(distance, Measure("distance", is_scaled=True)), distance)
    scaled = to_distance(distance * 3 - 1, Measure("distance", is_scaled=False), tail=0.0)
    assert (scaled.min(), scaled.max()) == pytest.approx((4, LAST))


@pytest.mark.parametrize("shape", [(16, 16), (9, 30), (31, 8), (1, 1)])
@pytest.mark.parametrize("measure", [DISPARITY, METRIC, AFFINE])
def test_every_map_fills_the_range_and_survives_the_file(shape, measure):
    values = np.random.default_rng(3).uniform(0.5, 40, shape)
    if shape == (1, 1):
        with pytest.raises(DataError, match="the same everywhere"):
            to_distance(values, measure)
        return
    found = to_distance(values, measure, tail=0.0)
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    square = found[top : top + side, left : left + side]
    assert square.min() >= 4
    assert square.max() <= LAST + 1e-12
    near = np.unravel_index((values if measure == DISPARITY else -values)[top : top + side, left : left + side].argmax(), square.shape)
    assert square[near] / ray_lengths(side, side)[near] == pytest.approx(4)
    assert np.abs(decode_depth(encode_depth(square)) - square).max() <= 1 / 65536 + 1e-7


def test_the_inverse_gives_the_disparity_back():
    values = np.random.default_rng(4).uniform(-2, 9, (12, 12))
    expected = (values - values.min()) / (values.max() - values.min())
    stored = decode_depth(encode_depth(to_distance(values, DISPARITY, tail=0.0)))
    # One step of the file is 2 / 65536, at most 2.4e-5 of the disparity's range apiece.
    assert np.abs(to_disparity(stored) - expected).max() < 4e-5


def test_a_few_wild_pixels_move_nothing():
    values = np.random.default_rng(5).uniform(1, 2, (64, 64))
    wild = values.copy()
    wild[0, :2] = 1e6
    assert np.abs(to_distance(wild, DISPARITY) - to_distance(values, DISPARITY))[1:].max() < 5e-3


def test_what_lies_outside_the_middle_square_does_not_decide():
    values = np.random.default_rng(6).uniform(1, 2, (10, 20))
    edge = values.copy()
    edge[:, :5] = 100.0
    assert np.array_equal(to_distance(edge, DISPARITY)[:, 5:], to_distance(values, DISPARITY)[:, 5:])


@pytest.mark.parametrize(
    ("spoil", "measure", "says"),
    [
        (lambda v: np.where(v < 1.1, np.nan, v), DISPARITY, "not finite"),
        (lambda v: np.where(v < 1.1, np.inf, v), METRIC, "not finite"),
        (lambda v: v * 0 + 3, DISPARITY, r"the same everywhere \(3\)"),
        (lambda v: v - 1.5, METRIC, "depths are above 0"),
    ],
)
def test_unusable_maps_are_refused(spoil, measure, says):
    with pytest.raises(DataError, match=says):
        to_distance(spoil(np.random.default_rng(7).uniform(1, 2, (16, 16))), measure)
