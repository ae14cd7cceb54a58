"""Trainings against each other over seeds: verdicts on the claims, and the times, on numbers whose answer is known."""

import re

import numpy as np
import pytest
from study_fixture import FORMS, SEEDS, JsonStore, form_sweep, interval, noise, write_declared, write_grid, write_timing

from orchestrator.report import build_report
from orchestrator.report.collect import read_study
from orchestrator.report.study import analyse
from orchestrator.report.study.claims import verdict_of
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
