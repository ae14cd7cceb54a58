"""Boosting: what it reads from a picture, how it merges, and that it sharpens edges without losing the structure."""

import numpy as np
import pytest
from tiny_depth_models import write_depth_anything, write_dpt, write_glpn, write_zoedepth

from benchmarks.boosting import table
from g3dr.depth import Measure, Picture
from g3dr.depth.boosting import BoostedEstimator, BoostOptions, ScalableEstimator
from g3dr.depth.boosting.edges import edge_distance, edge_map, largest_side
from g3dr.depth.boosting.known_error import KnownError, KnownErrorEstimator
from g3dr.depth.boosting.merging import fitted, merged
from g3dr.depth.boosting.patches import Canvas, Patch, chosen_patches
from g3dr.depth.boosting.scenes import discontinuities, make_scene
from g3dr.depth.boosting.study import compare, errors
from g3dr.depth.model_folder import read_model
from g3dr.depth.models import ModelEstimator
from g3dr.errors import ConfigError, DataError

pytestmark = pytest.mark.unit


def stripes(side, period):
    """A picture of vertical bars."""
    gray = ((np.arange(side) // period) % 2 * 200).astype(np.uint8)
    return np.broadcast_to(gray[None, :, None], (side, side, 3)).copy()


def test_edges_lie_where_brightness_changes_and_not_in_noise():
    edges = edge_map(stripes(64, 16))
    assert edges[:, 15:17].all()
    assert not edges[:, 6:10].any()
    noise = np.random.default_rng(0).integers(100, 104, (64, 64, 3), dtype=np.uint8)
    assert edge_map(noise).mean() < 0.01


def test_the_largest_side_is_where_the_share_without_an_edge_in_its_field_is_met():
    """Slow reference: shrink the field pixel by pixel until more than the share of pixels has no edge in it."""
    edges = np.random.default_rng(1).random((96, 96)) < 0.002
    distance = edge_distance(edges)
    for share in (0.0, 0.2):
        side = largest_side(distance, 48, share)
        reach = 48 * 96 / side / 2
        assert (distance > reach).mean() <= share
        assert (distance > reach - 1).mean() > share


def test_a_picture_without_edges_is_never_shown_larger():
    assert largest_side(edge_distance(np.zeros((9, 9), np.bool_)), 48, 0.2) == 0


def step_map(side=80, at=40):
    return np.broadcast_to(np.where(np.arange(side) < at, 0.2, 0.8), (side, side)).astype(np.float64)


def test_a_merge_takes_edges_from_one_and_distances_from_the_other():
    from scipy.ndimage import gaussian_filter

    truth = step_map()
    blurred = gaussian_filter(truth, 3)
    drift = np.linspace(0, 2, 80)[:, None] + np.linspace(0, 1, 80)
    result = merged(blurred, 3 * truth + drift, 17)
    edge = slice(36, 44)
    assert np.abs(result - truth)[:, edge].mean() < 0.6 * np.abs(blurred - truth)[:, edge].mean()
    assert np.abs(result - truth)[:, :30].max() < 0.05


def test_a_merge_does_not_depend_on_the_details_scale_and_shift():
    chance = np.random.default_rng(2)
    structure, detail = chance.random((40, 40)), chance.random((40, 40))
    assert np.allclose(merged(structure, detail, 9), merged(structure, 7 * detail - 3, 9), atol=1e-6)


def test_a_detail_that_says_nothing_changes_little():
    structure = step_map()
    assert np.abs(merged(structure, np.full_like(structure, 4.0), 3) - structure).max() < 0.5
    assert np.abs(merged(structure, np.full_like(structure, 4.0), 3) - structure)[:, :30].max() < 1e-6


def test_fitting_undoes_scale_and_shift_but_never_turns_near_to_far():
    reference = np.random.default_rng(3).random((20, 20))
    assert np.allclose(fitted(5 * reference - 2, reference), reference)
    assert np.allclose(fitted(-reference, reference), reference.mean())


def test_patches_lie_where_edges_are_and_grow_where_there_are_many():
    edges = np.zeros((100, 160), np.bool_)
    edges[20:40, 20:40:2] = True
    patches = chosen_patches(edges, 32)
    assert patches
    density = edges.mean()
    for patch in patches:
        part = patch.of(edges)
        assert part.shape == (patch.side, patch.side)
        assert part.mean() <= density * 1.3 or patch.side == 100
        assert part.any()
    assert chosen_patches(np.zeros((100, 160), np.bool_), 32) == []


def test_a_canvas_without_patches_is_the_whole_and_a_patch_counts_most_in_its_middle():
    canvas = Canvas(np.zeros((20, 20)))
    assert np.array_equal(canvas.result(), np.zeros((20, 20)))
    canvas.add(Patch(4, 4, 12), np.ones((12, 12)))
    result = canvas.result()
    assert result[10, 10] > 0.9
    assert result[4, 4] < 0.05
    assert result[0, 0] == 0


@pytest.fixture(scope="module")
def scenes():
    return {str(number): make_scene(number, 192, 100) for number in (0, 3)}


def test_the_test_estimator_errs_as_it_says(scenes):
    estimator = KnownErrorEstimator(scenes, KnownError(native_side=64))
    rgb, truth = scenes["0"]
    found = {side: errors(estimator.at(side).estimate([Picture("0", rgb)])[0].astype(np.float64), truth) for side in (32, 64, 192)}
    assert found[32]["near edges"] > found[64]["near edges"] > found[64]["everywhere"]
    assert found[192]["everywhere"] > 2 * found[64]["everywhere"]
    part = rgb[20:90, 30:100].copy()
    [values] = estimator.estimate([Picture("0", part)])
    assert np.corrcoef(values.ravel(), truth[20:90, 30:100].ravel())[0, 1] > 0.98
    with pytest.raises(DataError, match="no part of a picture"):
        estimator.estimate([Picture("0", 255 - rgb)])


def test_boosting_lowers_the_error_at_edges_and_not_at_the_cost_of_the_rest(scenes):
    estimator = KnownErrorEstimator(scenes, KnownError(native_side=64))
    sides = {"usual size": estimator, "boosted": BoostedEstimator(estimator)}
    found = compare(sides, scenes, lambda *_: None)
    for usual, boosted in zip(found["usual size"], found["boosted"], strict=True):
        assert boosted["near edges"] < 0.9 * usual["near edges"]
        assert boosted["everywhere"] < usual["everywhere"]
    assert "boosted" in "\n".join(table(found, "usual size"))


def test_boosted_maps_have_the_pictures_size_and_a_name_of_their_own(scenes):
    estimator = KnownErrorEstimator(scenes, KnownError(native_side=64))
    assert isinstance(estimator, ScalableEstimator)
    boosted, other = BoostedEstimator(estimator), BoostedEstimator(estimator, BoostOptions(patches=0))
    rgb, _ = scenes["0"]
    wide = rgb[:100].copy()
    maps = boosted.estimate([Picture("0", rgb), Picture("0", wide)])
    assert [one.shape for one in maps] == [rgb.shape[:2], wide.shape[:2]]
    assert boosted.measure == estimator.measure
    assert boosted.identity()["of"] == estimator.identity()
    assert boosted.identity() != other.identity()


def test_discontinuities_are_jumps():
    assert discontinuities(step_map())[:, 39].all()
    assert discontinuities(step_map()).sum() == 80


class Exact:
    measure = Measure("distance", is_scaled=True)

    def identity(self):
        return {"name": "files"}

    def estimate(self, pictures):
        return []


def test_what_cannot_be_shown_at_other_sizes_is_refused():
    with pytest.raises(ConfigError, match="--boost: got 'files', allowed: an estimator whose network takes pictures of several sizes"):
        BoostedEstimator(Exact())
    with pytest.raises(ConfigError, match=r"boost\.patches: got -1"):
        BoostOptions(patches=-1)


@pytest.mark.parametrize("write", [write_depth_anything, write_dpt, write_glpn, write_zoedepth])
def test_models_look_at_pictures_at_other_sizes(tmp_path, write):
    made = ModelEstimator(read_model(write(tmp_path)))
    assert isinstance(made, ScalableEstimator)
    larger = made.at(96 if made.side == 64 else 64)
    one = Picture("a", stripes(80, 16)[:60].copy())
    maps = [each.estimate([one])[0] for each in (made, larger, larger.at(made.side), made)]
    assert [found.shape for found in maps] == 4 * [(60, 80)]
    assert np.array_equal(maps[0], maps[3])
    assert np.abs(maps[1] - maps[0]).max() > 0.01 * maps[0].std()


def test_a_model_is_boosted(tmp_path):
    boosted = BoostedEstimator(ModelEstimator(read_model(write_depth_anything(tmp_path))))
    assert boosted.identity()["of"]["name"] == "transformers"
    assert boosted.estimate([Picture("a", stripes(120, 16)[:90].copy())])[0].shape == (90, 120)
