"""Trainings against each other over seeds: effects, winners, interactions, curves and intervals, on numbers whose answer is known."""

import re

import numpy as np
import pytest
from study_fixture import EMBEDDING, FORMS, JsonStore, form_sweep, interval, noise, write_declared, write_sweep

from orchestrator.report.collect import read_study
from orchestrator.report.statistics import median_interval
from orchestrator.report.study import analyse
from orchestrator.report.study.arms import comparisons
from orchestrator.report.study.charts import Difference, interval_chart
from orchestrator.report.study.curves import form_panels
from orchestrator.report.study.effects import effect_words, factors, measures_of, winner, winners_table
from orchestrator.report.study.interactions import interaction_words, interactions

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path):
    return JsonStore(tmp_path)


def test_the_experiments_own_value_is_the_base_wherever_it_stands(store):
    write_declared(store, {"depth": "sweep"})
    path = "objective.depth.weight"
    write_sweep(store, "depth", lambda values, seed: {"novel_psnr": 20 + values[path] + noise(seed)}, [{path: 1}, {path: 2}, {path: 4}])
    (comparison,) = comparisons(read_study(store, "study"))
    assert comparison.base.values == {path: 2}
    (factor,) = factors([comparison])
    assert [arm.values[path] for arm in factor.arms] == [2, 1, 4]


def test_sweeps_without_seeds_are_not_compared(store):
    write_declared(store, {"clip_form": "sweep"})
    form_sweep(store, "clip", lambda form, seed: {"novel_psnr": 20 + noise(form, seed)}, seeds=(0,))
    assert analyse(read_study(store, "study")) is None


def test_a_winner_needs_a_lead_over_every_other_value(store):
    write_declared(store, {"rgb_form": "sweep"})
    levels = {"l1": 20.0, "l2": 23.0, "smooth_l1": 20.0, "cosine": 22.99}
    form_sweep(
        store, "rgb", lambda form, seed: {"novel_psnr": levels[form] + noise(form, seed, scale=0.05), "canonical_psnr": -levels[form]}
    )
    found = comparisons(read_study(store, "study"))
    (factor,), measures = factors(found), {measure.name: measure for measure in measures_of(found)}
    close = winner(factor, measures["novel_psnr"])
    assert {factor.value(close.best), *map(factor.value, close.rivals)} == {"l2", "cosine"}
    table = winners_table([factor], [measures["novel_psnr"]])
    cells = dict(zip([column.heading for column in table.columns], table.rows[0].cells, strict=True))
    assert cells["Novel views"].text == "not to be told apart"


def test_words_name_only_differences_that_exclude_zero(store):
    write_declared(store, {"rgb_form": "sweep"})
    levels = {"l1": 20.0, "l2": 21.0, "smooth_l1": 20.0, "cosine": 20.0}
    form_sweep(store, "rgb", lambda form, seed: {"novel_psnr": levels[form] + noise(form, seed, scale=0.05)})
    found = comparisons(read_study(store, "study"))
    measures = [measure for measure in measures_of(found) if measure.name == "novel_psnr"]
    (sentence,) = effect_words(factors(found), measures)
    said = dict(part.strip(" .").split(" ", 1) for part in sentence.split(":", 1)[1].split(";"))
    (factor,) = factors(found)
    for arm in factor.arms[1:]:
        excludes = arm.against(factor.base, "novel_psnr").excludes_zero
        assert (said[factor.value(arm)] == "shows no difference") == (not excludes)
    assert said["l2"].startswith("raises Novel views by")


def test_an_interaction_is_what_two_changes_do_beyond_each_alone(store):
    write_declared(store, {"clip": "sweep"})
    form, weight = "objective.clip.form", "objective.clip.weight"

    def value(values, seed):
        cosine, more = values[form] == "cosine", values[weight] == 1.4
        return {
            "novel_psnr": 20 + 1.0 * cosine + 0.5 * more + 2.0 * (cosine and more) + 0.3 * seed + noise(*values.values(), seed, scale=0.001)
        }

    def noise_free(values, seed):
        return {"novel_psnr": round(value(values, seed)["novel_psnr"], 1)}

    write_sweep(store, "clip", noise_free, [{form: one, weight: other} for one in ("l1", "cosine") for other in (0.35, 1.4)])
    found = comparisons(read_study(store, "study"))
    (interaction,) = interactions(found)
    assert interaction.of("novel_psnr").mean == pytest.approx(2.0)
    measures = [measure for measure in measures_of(found) if measure.name == "novel_psnr"]
    assert "clip cosine, clip.weight 1.4: Novel views" in next(interaction_words([interaction], measures))


def test_curves_share_a_form_and_have_bands(store):
    write_declared(store, {"clip_form": "sweep"})

    def curve(assignment, seed):
        return [{"step": step, f"novel_{EMBEDDING}_as_cosine": 1 / step + noise(seed, step), "novel_tv": 0.1} for step in range(5, 51, 5)]

    form_sweep(store, "clip", lambda form, seed: {"novel_psnr": 20 + noise(form, seed)}, curve=curve)
    (row,) = form_panels(factors(comparisons(read_study(store, "study"))))
    (panel,) = row.panels
    assert panel.heading == f"novel_{EMBEDDING} measured as cosine"
    assert panel.chart.count("<polyline") == len(FORMS) == panel.chart.count('class="band')
    assert [label for _, label in row.legend] == [f"trained with {form}" for form in FORMS]


@pytest.mark.parametrize("count", [6, 20, 25])
def test_the_interval_of_a_median_covers_as_often_as_it_says(count):
    draws = np.random.default_rng(count).exponential(size=(4000, count))
    found = [median_interval(row.tolist()) for row in draws]
    assert np.mean([each.low <= np.log(2) <= each.high for each in found]) >= 0.945


def test_a_median_of_few_values_has_no_interval():
    assert median_interval([1.0, 2.0, 3.0]).low is None
    assert median_interval([]) is None


def test_intervals_are_drawn_and_labels_escaped():
    chart = interval_chart([Difference("<b>", interval(-1, 1)), Difference("x", interval(1, 2))], title="t", x_label="<i>")
    assert chart.count("<circle") == 2
    assert 'class="dot open"' in chart
    assert 'class="dot told"' in chart
    assert not {"<b>", "<i>"} & set(re.findall("<[bi]>", chart))
    assert not interval_chart([], title="t", x_label="x")


def test_a_row_far_beyond_the_others_does_not_squeeze_them():
    rows = [Difference(str(place), interval(place - 0.5, place + 0.5)) for place in range(5)]
    chart = interval_chart([*rows, Difference("far", interval(899, 901))], title="t", x_label="x")
    assert chart.count("<circle") == 5
    assert "+900.00 \u25b6" in chart
