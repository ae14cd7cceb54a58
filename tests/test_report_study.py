"""Trainings against each other over seeds: verdicts, effects, winners, interactions and times, on numbers whose answer is known."""

import re

import numpy as np
import pytest
from study_fixture import EMBEDDING, FORMS, SEEDS, JsonStore, form_sweep, noise, write_declared, write_grid, write_sweep, write_timing

from orchestrator.report import build_report
from orchestrator.report.collect import read_study
from orchestrator.report.statistics import Interval, median_interval
from orchestrator.report.study import analyse
from orchestrator.report.study.arms import comparisons
from orchestrator.report.study.charts import Difference, interval_chart
from orchestrator.report.study.claims import verdict_of
from orchestrator.report.study.curves import form_panels
from orchestrator.report.study.effects import effect_words, factors, measures_of, winner, winners_table
from orchestrator.report.study.interactions import interaction_words, interactions
from orchestrator.report.study.times import timings

pytestmark = pytest.mark.unit
COSINE = "Cosine lowers the CLIP loss most"
SMOOTH = "Smooth L1 beats L1"
TIME = "L2 costs more time"
VARIATION = "TV is lower after the optimised recipe"


@pytest.fixture
def store(tmp_path):
    return JsonStore(tmp_path)


def claim(store, statement):
    (found,) = [each for each in analyse(read_study(store, "study")).claims if each.statement == statement]
    return found


def embeddings(distances, scale=0.002):
    """Returns the metrics of a sweep over forms: a distance for each, and what a seed adds to all of them, and to each."""
    shared = {seed: noise("shared", seed, scale=0.05) for seed in SEEDS}
    return lambda form, seed: {"loss_embedding_cosine": distances[form] + shared[seed] + noise(form, seed, scale=scale)}


@pytest.mark.parametrize(
    ("distances", "verdict"),
    [
        ({"l1": 0.30, "l2": 0.31, "smooth_l1": 0.32, "cosine": 0.20}, "supported"),
        ({"l1": 0.30, "l2": 0.15, "smooth_l1": 0.32, "cosine": 0.20}, "refuted"),
        ({"l1": 0.2005, "l2": 0.31, "smooth_l1": 0.32, "cosine": 0.20}, "cannot be told"),
    ],
)
def test_cosine_must_be_below_every_other_form(store, distances, verdict):
    write_declared(store, {"clip_form": "sweep"})
    form_sweep(store, "clip", embeddings(distances))
    found = claim(store, COSINE)
    assert found.verdict == verdict
    assert len(found.figures) == 3
    assert "stand-in, not CLIP" in found.note


def test_with_clip_itself_nothing_stands_in(store):
    write_declared(store, {"clip_form": "sweep"})
    form_sweep(store, "clip", lambda form, seed: {"loss_clip_cosine": 0.2 + noise(form, seed)})
    assert "stand-in" not in claim(store, COSINE).note


@pytest.mark.parametrize(
    ("rgb", "depth", "verdict"),
    [(+1.0, -0.05, "supported"), (-1.0, +0.05, "refuted"), (+1.0, +0.05, "cannot be told"), (0, 0, "cannot be told")],
)
def test_smooth_l1_is_judged_in_colour_and_in_depth(store, rgb, depth, verdict):
    write_declared(store, {"rgb_form": "sweep", "depth_form": "sweep"})

    def colour(form, seed):
        gain = rgb if form == "smooth_l1" else 0
        return {"novel_psnr": 22 + gain + noise(form, seed), "canonical_psnr": 30 + gain + noise("c", form, seed)}

    def distance(form, seed):
        change = depth if form == "smooth_l1" else 0
        return {
            "novel_depth_rmse": 0.2 + change + noise(form, seed, scale=0.001),
            "depth_rmse": 0.15 + change + noise("d", form, seed, scale=0.001),
        }

    form_sweep(store, "rgb", colour)
    form_sweep(store, "depth", distance)
    found = claim(store, SMOOTH)
    assert found.verdict == verdict
    assert len(found.figures) == 4


@pytest.mark.parametrize(("factor", "verdict"), [(1.05, "supported"), (0.95, "refuted"), (1.0, "cannot be told")])
def test_time_is_compared_within_rounds(store, factor, verdict):
    """Rounds differ by far more than the forms do, as on a machine with other work."""
    write_declared(store, {"step_time": "timing"})
    busy = np.random.default_rng(0).uniform(0.2, 2.0, 20)
    jitter = np.random.default_rng(1).normal(1, 0.005, 20)
    write_timing(store, {"l1": busy.tolist(), "l2": (busy * factor * jitter).tolist()})
    found = claim(store, TIME)
    assert found.verdict == verdict
    assert ("at most" in found.note) == (verdict == "cannot be told")


def test_recipes_keep_the_order_of_the_experiment_in_a_sorted_record(store):
    write_declared(store, {"step_time": "timing"})
    write_timing(store, {"l1": [1.0] * 8, "cosine": [1.5] * 8})
    path = "runs/timing0000000000/evaluations/etiming.json"
    record = store.read_json(path)
    store.write_json(path, record | {"seconds": dict(sorted(record["seconds"].items()))})
    ((times, _),) = timings(read_study(store, "study"))
    assert [recipe.name for recipe in times.recipes] == ["l1", "cosine"]
    assert times.recipes[0].against is None
    assert times.recipes[1].against.mean == pytest.approx(0.5)


@pytest.mark.parametrize(("change", "verdict"), [(-0.002, "supported"), (+0.002, "refuted"), (0.0, "cannot be told")])
def test_variation_is_paired_by_seed_over_species(store, change, verdict):
    write_declared(store, {"species": "grid"})

    def variation(recipe, species, seed):
        own = {"fish_01": 0.01, "bird_03": 0.03, "beetle_04": 0.09}[species]
        return own + (change if recipe == "optimized" else 0) + noise(recipe, species, seed, scale=0.0002)

    write_grid(store, variation)
    found = claim(store, VARIATION)
    assert found.verdict == verdict
    assert [figure.split(":")[0] for figure in found.figures] == ["optimized minus fine-tuned", "optimized minus pre-trained"]


def test_two_seeds_decide_nothing(store):
    write_declared(store, {"clip_form": "sweep"})
    exact = {"l1": 0.4, "l2": 0.4, "smooth_l1": 0.4, "cosine": 0.1}
    form_sweep(store, "clip", lambda form, seed: {"loss_embedding_cosine": exact[form] + 1e-6 * seed}, seeds=(0, 1))
    found = analyse(read_study(store, "study"))
    assert [each.verdict for each in found.claims] == ["cannot be told"]
    assert not any(cell.mark for table in found.tables for row in table.rows for cell in row.cells)


def interval(low, high, count=4):
    return Interval((low + high) / 2, low, high, count, 3)


@pytest.mark.parametrize(
    ("intervals", "every", "verdict"),
    [
        ([], False, "cannot be told"),
        ([None], False, "cannot be told"),
        ([interval(-2, -1)], False, "supported"),
        ([interval(-2, -1), None], False, "cannot be told"),
        ([interval(-2, -1), interval(-1, 1)], False, "cannot be told"),
        ([interval(1, 2), interval(-1, 1)], False, "refuted"),
        ([interval(1, 2), interval(-2, -1)], False, "cannot be told"),
        ([interval(1, 2), interval(-2, -1)], True, "refuted"),
    ],
)
def test_a_verdict_needs_intervals_on_one_side(intervals, every, verdict):
    assert verdict_of(intervals, below=True, every=every) == verdict


def test_chance_alone_is_rarely_given_a_verdict(tmp_path):
    """A claim about forms that do not differ: judged together at 95 %, a verdict in at most about one of twenty studies."""
    told = 0
    for study in range(20):
        store = JsonStore(tmp_path / str(study))
        write_declared(store, {"clip_form": "sweep"})
        form_sweep(store, "clip", lambda form, seed, study=study: {"loss_embedding_cosine": 0.3 + noise(form, seed, study)})
        told += analyse(read_study(store, "study")).claims[0].verdict != "cannot be told"
    assert told <= 4  # at 5 % each, more come once in four hundred times


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


def test_the_page_and_the_summary_hold_the_analysis(store):
    write_declared(store, {"clip_form": "sweep", "step_time": "timing", "species": "grid"})
    form_sweep(store, "clip", embeddings({"l1": 0.30, "l2": 0.31, "smooth_l1": 0.32, "cosine": 0.20}))
    write_timing(store, {form: np.random.default_rng(0).uniform(0.9, 1.1, 20).tolist() for form in FORMS})
    write_grid(store, lambda recipe, species, seed: 0.01 + noise(recipe, species, seed, scale=0.001))
    paths = build_report(store, "study", "2026-01-01 00:00 UTC")
    page, summary = store.read_bytes(paths.index).decode(), store.read_json(paths.summary)
    for statement in (COSINE, TIME, VARIATION):
        assert statement in page
    assert page.count('class="verdict"') == 3
    assert re.search(r"Of 3 claims of the report: \d supported", page), "without a pretraining of its own the page opens with them"
    assert "better than the experiment&#39;s own setting" in page
    compared = summary["compared"]
    assert {each["statement"]: each["verdict"] for each in compared["claims"]}[COSINE] == "supported"
    assert [each["statement"] for each in compared["seconds"]["claims"]] == [TIME]
    (cosine,) = [row for row in compared["effects"] if row["value"] == "cosine"]
    assert cosine["against_own"]["loss_embedding_cosine"][0] == pytest.approx(-0.1, abs=0.01)


def test_other_experiments_say_nothing_of_it(store):
    write_declared(store, {})
    assert analyse(read_study(store, "study")) is None
    paths = build_report(store, "study", "2026-01-01 00:00 UTC")
    assert "Compared over seeds" not in store.read_bytes(paths.index).decode()
    assert store.read_json(paths.summary)["compared"] is None
