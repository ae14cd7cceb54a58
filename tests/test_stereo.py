"""Block matching: exact where the answer is known, invariant as it says, honest about what it cannot see."""

import numpy as np
import pytest
import torch
from cli_fixture import g3dr
from PIL import Image

from g3dr.errors import ConfigError, DataError
from g3dr.stereo import MEASURES, PUBLISHED, StereoOptions, match
from g3dr.stereo.measures import COSTS

pytestmark = pytest.mark.unit
HEIGHT, WIDTH = 20, 48


def texture(seed=0, width=WIDTH, channels=3):
    """Independent colours, so that no two windows are alike."""
    return torch.rand(channels, HEIGHT, width, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.1


def shifted(disparity, seed=0):
    """Returns a pair of which every pixel of the left picture has the same disparity, and a strip of the scene for what comes in."""
    strip = texture(seed, WIDTH + disparity)
    return strip[..., :WIDTH], strip[..., disparity:]


def wave(disparity):
    """Returns a pair of smooth pictures whose disparity lies between whole pixels."""
    x = torch.arange(WIDTH, dtype=torch.float64)
    rows = torch.linspace(0.1, 0.3, HEIGHT, dtype=torch.float64)[:, None]

    def picture(columns):
        return torch.stack([0.5 + 0.3 * torch.sin(rows * columns + phase) for phase in (0.0, 1.0, 2.0)]).float()

    return picture(x), picture(x + disparity)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("disparity", [0, 1, 7])
def test_a_shifted_texture_has_its_exact_disparity(measure, disparity):
    left, right = shifted(disparity)
    found = match(left, right, StereoOptions(measure, window=5, most=12))
    inside = slice(disparity, None)
    assert torch.equal(found.disparity[:, inside].round(), torch.full((HEIGHT, WIDTH - disparity), float(disparity)))
    assert found.consistent[:, inside].all()


def test_every_plane_of_a_scene_gets_its_own_disparity():
    near, far = texture(1), texture(2)
    left, right = far.clone(), torch.cat([far[..., 2:], texture(3)[..., :2]], -1)
    left[:, 6:14, 20:34] = near[:, 6:14, 20:34]
    right[:, 6:14, 12:26] = near[:, 6:14, 20:34]  # 8 pixels further left
    found = match(left, right, StereoOptions("l1", window=3, most=12)).disparity.round()
    assert (found[7:13, 21:33] == 8).all()
    assert (found[:5, 3:] == 2).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("disparity", [3.25, 3.5, 5.75])
def test_disparities_between_pixels_are_found_to_a_tenth(measure, disparity):
    found = match(*wave(disparity), StereoOptions(measure, window=9, most=10)).disparity[:, 14:-4]
    # L1 has a kink, not a parabola, at its lowest point, which draws the refinement towards whole and half pixels.
    tolerance = 0.3 if measure == "l1" else 0.1
    assert (found - disparity).abs().median() < tolerance


def test_cosine_does_not_see_a_gain_and_the_differences_do():
    left, right = shifted(4)
    found = {name: match(left, right * 0.3, StereoOptions(name, window=3, most=12)).disparity[:, 12:] for name in MEASURES}
    as_before = {name: match(left, right, StereoOptions(name, window=3, most=12)).disparity[:, 12:] for name in MEASURES}
    wrong = {name: float((found[name] - 4).abs().gt(1).float().mean()) for name in MEASURES}
    torch.testing.assert_close(found["cosine"], as_before["cosine"], rtol=0, atol=1e-3)
    assert wrong["cosine"] == wrong["zero_mean_cosine"] == 0
    assert wrong["l1"] > 0.02
    assert wrong["l2"] > 0.02


def test_only_the_zero_mean_cosine_does_not_see_stray_light():
    left, right = shifted(4)
    options = [StereoOptions(name, window=5, most=12) for name in ("cosine", "zero_mean_cosine")]
    costs = {one.measure: match(left, right + 0.5, one).cost[:, 12:] for one in options}
    assert costs["zero_mean_cosine"].abs().max() < 1e-4
    assert costs["cosine"].min() > 1e-3


def test_hidden_pixels_are_not_believed():
    strip = texture(4, WIDTH + 10)
    left, right = strip[..., :WIDTH].clone(), strip[..., 2 : WIDTH + 2].clone()
    block = texture(5)
    left[..., 24:36], right[..., 14:26] = block[..., 24:36], block[..., 24:36]  # 10 pixels, before a ground with 2
    found = match(left, right, StereoOptions("l1", window=3, most=12))
    hidden, open_ground = found.consistent[:, 17:23], found.consistent[:, 38:]
    assert hidden.float().mean() < 0.3
    assert open_ground.float().mean() > 0.95


def test_bands_of_rows_change_nothing():
    left, right = shifted(3)
    whole, banded = (match(left, right, StereoOptions("cosine", window=7, most=9), band_pixels=size) for size in (10**6, 3 * WIDTH))
    assert torch.equal(whole.disparity, banded.disparity)
    assert torch.equal(whole.cost, banded.cost)
    assert torch.equal(whole.consistent, banded.consistent)


def test_costs_equal_a_plain_sum_over_the_window():
    left, right = texture(6), texture(7)
    x, y, d = 20, 9, 4
    one, other = left[:, y - 2 : y + 3, x - 2 : x + 3], right[:, y - 2 : y + 3, x - d - 2 : x - d + 3]
    centered = [part - part.mean((1, 2), keepdim=True) for part in (one, other)]

    def cosine(a, b):
        return float(1 - (a * b).sum() / (a.norm() * b.norm()))

    expected = {
        "l1": float((one - other).abs().sum() / 25),
        "l2": float((one - other).square().sum() / 25),
        "cosine": cosine(one, other),
        "zero_mean_cosine": cosine(*centered),
    }
    for measure, value in expected.items():
        cost = COSTS[measure](left[..., d:], right[..., : WIDTH - d], 5)[y, x - d]
        assert float(cost) == pytest.approx(value, abs=1e-5)


def test_black_and_flat_windows_are_like_nothing():
    flat = torch.full((3, HEIGHT, WIDTH), 0.5)
    assert (match(flat, flat, StereoOptions("zero_mean_cosine", window=5, most=4)).cost == 1).all()
    assert (match(flat * 0, flat * 0, StereoOptions("cosine", window=5, most=4)).cost == 1).all()


def test_columns_without_an_allowed_partner_are_unknown():
    left, right = shifted(5)
    found = match(left, right, StereoOptions("l2", window=5, least=3, most=8))
    assert found.disparity[:, :3].isnan().all()
    assert not found.consistent[:, :3].any()
    assert not found.disparity[:, 3:].isnan().any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": 4}, "odd"),
        ({"window": 0}, "odd"),
        ({"least": -1}, "0 pixels or more"),
        ({"least": 5, "most": 5}, "more than least"),
    ],
)
def test_wrong_options_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        StereoOptions(**change)


def test_pairs_that_are_none_are_refused():
    left = texture()
    with pytest.raises(DataError, match="one size"):
        match(left, left[..., 1:], StereoOptions(most=4))
    with pytest.raises(DataError, match="not finite"):
        match(left, left * torch.nan, StereoOptions(most=4))
    with pytest.raises(ConfigError, match="48 pixels"):
        match(left, left, StereoOptions(most=WIDTH))


# the command


def write_pair(folder, disparity=6):
    left, right = shifted(disparity)
    for name, planes in (("left", left), ("right", right)):
        Image.fromarray((planes.movedim(0, -1).numpy() * 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder / "left.png", folder / "right.png"


def test_the_command_draws_a_pair_and_keeps_its_arrays(tmp_path):
    out = tmp_path / "new" / "depth.png"
    words = g3dr("depth-analysis", *write_pair(tmp_path), "--out", out, "--window", "5", "--arrays")
    with Image.open(out) as picture, np.load(out.with_suffix(".npz")) as arrays:
        assert picture.width > 1000
        for name in PUBLISHED:
            assert np.median(arrays[name][:, 6:]) == pytest.approx(6, abs=0.1)
            assert arrays[f"{name}_consistent"].dtype == bool
    assert "L1" in words
    assert "next:" in words


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "two pictures, or --study"),
        (("left.png",), "two pictures, or --study"),
        (("left.png", "nowhere.png"), "nowhere.png: cannot be read"),
        (("left.png", "words.txt"), "words.txt: the bytes are not a picture"),
        (("left.png", "small.png"), "one size"),
        (("left.png", "right.png", "--most", "48"), "stereo.most"),
        (("left.png", "right.png", "--window", "4"), "stereo.window"),
        (("left.png", "right.png", "--out", "words.txt/x.png"), "cannot be written"),
        (("left.png", "right.png", "--study"), "no pictures"),
    ],
)
def test_what_cannot_be_matched_is_one_sentence(words, problem, tmp_path, monkeypatch):
    write_pair(tmp_path)
    (tmp_path / "words.txt").write_text("not a picture")
    Image.new("RGB", (10, 10)).save(tmp_path / "small.png")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, DataError), match=problem):
        g3dr("depth-analysis", *words)
    assert sorted(tmp_path.iterdir()) == before
