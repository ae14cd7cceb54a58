"""Block matching: exact where the answer is known, invariant as it says, honest about what it cannot see; and the study of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from cli_fixture import g3dr
from PIL import Image

from g3dr.errors import ConfigError, DataError
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.species import make_species
from g3dr.stereo import MEASURES, PUBLISHED, Condition, StereoOptions, StudyOptions, make_pair, match, run_study, standings, verdict
from g3dr.stereo.figures import study_chart
from g3dr.stereo.measures import COSTS
from g3dr.stereo.scenes import focal_length, largest_disparity
from g3dr.stereo.verdict import interval, sentence

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


# procedural pairs


@pytest.fixture(scope="module")
def pair():
    return make_pair(make_individual(make_species(1), 3), 64, supersampling=3)


def test_the_true_disparity_leads_to_the_same_colour(pair):
    rows, columns = np.nonzero(pair.visible)
    places = columns - pair.disparity[rows, columns]
    before = np.floor(places).astype(int).clip(0, 62)
    share = (places - before)[:, None]
    there = pair.right[rows, before] * (1 - share) + pair.right[rows, before + 1] * share
    off = np.abs(there - pair.left[rows, columns]).mean(1)
    beside = np.abs(pair.right[rows, (before + 4).clip(0, 63)] - pair.left[rows, columns]).mean(1)
    assert np.median(off) < 0.012
    assert np.median(off) < np.median(beside) / 2


def test_disparities_of_the_box_stay_in_their_range(pair):
    assert pair.disparity[pair.visible].min() > -0.01
    assert pair.disparity[pair.visible].max() <= largest_disparity(64, 0.5)
    assert 0.7 < pair.visible.mean() < 1
    # Planar depth 5 is the middle of the box: f b (1/5 - 1/6).
    assert pair.disparity.min() < focal_length(64) * 0.5 / 30 < pair.disparity.max()


def test_a_longer_baseline_moves_things_further():
    individual = make_individual(make_species(2), 0)
    short, long = (make_pair(individual, 32, baseline) for baseline in (0.25, 0.5))
    np.testing.assert_allclose(2 * short.disparity, long.disparity, rtol=1e-9, atol=1e-9)
    with pytest.raises(ConfigError, match="baseline"):
        make_pair(individual, 32, 0.0)


# the study

SMALL = StudyOptions(scenes=4, resolution=48, windows=(3, 7), conditions=(Condition(), Condition(noise=0.1), Condition(gain=0.7)))


@pytest.fixture(scope="module")
def result():
    return run_study(SMALL)


def test_the_study_repeats_itself(result):
    again = run_study(replace(SMALL, scenes=3))
    np.testing.assert_array_equal(again.wrong, result.wrong[..., :3])


def test_noise_and_exposure_cost_what_they_must(result):
    wrong = dict(zip(result.measures, result.wrong.mean(-1).transpose(1, 0, 2), strict=True))
    assert result.wrong.shape == (3, len(MEASURES), 2, 4)
    for measure in MEASURES:
        assert wrong[measure][1, 0] > wrong[measure][0, 0]  # noise, with small windows
        assert wrong[measure][1, 1] < wrong[measure][1, 0]  # larger windows help against it
    for measure in ("l1", "l2"):
        assert wrong[measure][2, 1] > wrong[measure][0, 1] + 0.1  # another exposure
    assert wrong["cosine"][2, 1] < wrong["cosine"][0, 1] + 0.05


def test_what_both_pictures_agree_on_is_more_often_right(result):
    assert (result.believed_wrong[:2] <= result.wrong[:2] + 1e-9).mean() > 0.95


def test_the_words_follow_from_the_numbers(result):
    found = standings(result)
    darker = found[2]
    assert darker.best == "cosine"
    assert darker.equals == []
    assert darker.behind["l1"].low > 0
    assert "right picture x 0.7: cosine" in sentence(darker)
    assert "cosine alone (right picture x 0.7" in verdict(result)
    assert {standing.best for standing in found} <= set(PUBLISHED)


def test_no_winner_is_named_where_the_measures_cannot_be_told_apart(result):
    same = replace(result, wrong=np.broadcast_to(result.wrong[:, :1], result.wrong.shape).copy())
    assert all(len(standing.equals) == len(PUBLISHED) - 1 for standing in standings(same))
    assert "L1 and L2 and cosine alike" in verdict(same)
    assert "no better and no worse" in verdict(same)


def test_intervals_over_scenes_are_students():
    found = interval(np.array([1.0, 2.0, 3.0, 4.0]))
    # t(0.975, 3) = 3.1824; standard error of the mean = sqrt(5/3)/2.
    assert found.mean == 2.5
    assert found.high - found.mean == pytest.approx(3.1824 * np.sqrt(5 / 3) / 2, abs=1e-3)


def test_the_chart_names_every_condition_and_repeats_itself(result):
    chart = study_chart(result)
    assert chart == study_chart(result)
    for words in (b"undisturbed", b"noise 0.1", b"right picture x 0.7", b"zero-mean cosine", b"best of L1, L2, cosine: cosine"):
        assert words in chart


@pytest.mark.parametrize("change", [{"scenes": 2}, {"resolution": 8}, {"windows": (5, 3)}, {"windows": ()}, {"seed": -1}])
def test_wrong_studies_are_refused(change):
    with pytest.raises(ConfigError, match="study"):
        StudyOptions(**change)


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


def test_the_command_measures_and_says_what_came_out(tmp_path, monkeypatch):
    monkeypatch.setattr("g3dr.stereo.StudyOptions", lambda **options: replace(SMALL, **{**options, "scenes": 3}))
    words = g3dr("depth-analysis", "--study", "--out", tmp_path / "study")
    record = json.loads((tmp_path / "study" / "study.json").read_text())
    assert record["verdict"] in words
    assert np.array(record["wrong"]).shape == (3, len(MEASURES), 2, 3)
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["left.png", "right.png", "study.json", "study.svg"]


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
