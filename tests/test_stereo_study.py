"""Procedural stereo pairs with their true disparity, and the study that measures block matching on them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cli_fixture import g3dr

from g3dr.errors import ConfigError
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.species import make_species
from g3dr.stereo import MEASURES, PUBLISHED, Condition, StudyOptions, make_pair, run_study, standings, verdict
from g3dr.stereo.figures import study_chart
from g3dr.stereo.scenes import focal_length, largest_disparity
from g3dr.stereo.verdict import interval, sentence

pytestmark = pytest.mark.unit


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


def test_the_command_measures_and_says_what_came_out(tmp_path, monkeypatch):
    monkeypatch.setattr("g3dr.stereo.StudyOptions", lambda **options: replace(SMALL, **{**options, "scenes": 3}))
    words = g3dr("depth-analysis", "--study", "--out", tmp_path / "study")
    record = json.loads((tmp_path / "study" / "study.json").read_text())
    assert record["verdict"] in words
    assert np.array(record["wrong"]).shape == (3, len(MEASURES), 2, 3)
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["left.png", "right.png", "study.json", "study.svg"]
