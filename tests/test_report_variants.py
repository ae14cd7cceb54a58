"""Trainings side by side in the report, and their part pictures, from synthetic ledgers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ledger_fixture import SPECIES, JsonStore, evaluation, write_run, write_stage
from safetensors.numpy import load, save

from orchestrator.report import build_report
from orchestrator.report.collect import read_study
from orchestrator.report.statistics import student_mean
from orchestrator.report.variants import parts_sheets, variants

pytestmark = pytest.mark.unit
SEEDS = (0, 1, 2)


def write_variants(store, names, *, seeds=SEEDS, parts=()):
    store.write_json(
        "experiments/study/experiment.json",
        {
            "name": "study",
            "description": "",
            "data": {"animals": {"procedural": {}}},
            "stages": [{"name": name, "kind": "train"} for name in names],
            "git": {},
            "datasets": [],
        },
    )
    for place, name in enumerate(names):
        runs = []
        for seed in seeds:
            run = f"{name}{seed}".ljust(16, "0")
            record = evaluation(run, SPECIES, 2, gain=4.0, seed=seed)
            record["metrics"] |= {"novel_psnr": 22.0 + seed + place * (1.0 + 0.1 * seed), "depth_rmse": 0.2 - 0.01 * place}
            runs.append(write_run(store, run, record=record) | {"seed": seed, "label": f"{name}, seed {seed}"})
            if name in parts:
                _add_parts(store, f"runs/{run}/evaluations/{record['id']}.safetensors", record)
        write_stage(store, "study", name, "train", runs)


def _add_parts(store, path, record):
    arrays = load(store.read_bytes(path))
    arrays |= {"parts": arrays["input"][:, ::-1].copy(), "novel_parts": arrays["input"][:, :, ::-1].copy()}
    keys, species = record["per_image"]["key"][:4], record["per_image"]["species"][:4]
    store.write_bytes(path, save(arrays, {"keys": json.dumps(keys), "species": json.dumps(species)}))


@pytest.fixture
def store(tmp_path):
    return JsonStore(tmp_path)


def test_stages_are_compared_with_the_first_seed_by_seed(store):
    write_variants(store, ["base", "other"])
    first, second = variants(read_study(store, "study"))
    assert (first.stage, second.stage) == ("base", "other")
    assert first.against == {}
    assert first.metrics["novel_psnr"] == pytest.approx(23.0)
    gain = second.against["novel_psnr"]
    assert (gain.mean, gain.count) == (pytest.approx(1.1), 3)
    # Differences of 1.0, 1.1 and 1.2: deviation 0.1, Student's quantile 4.303 with two degrees of freedom.
    assert gain.low == pytest.approx(1.1 - 4.303 * 0.1 / 3**0.5, abs=1e-3)


def test_one_stage_or_other_seeds_are_no_comparison(store):
    write_variants(store, ["base"])
    assert variants(read_study(store, "study")) == []
    write_variants(store, ["base", "other"], seeds=(0,))
    runs = [write_run(store, "x" * 16, record=evaluation("x" * 16, SPECIES, 2, gain=4.0)) | {"seed": 7}]
    write_stage(store, "study", "other", "train", runs)
    assert variants(read_study(store, "study")) == []


def test_the_same_runs_measured_twice_are_no_variants(store):
    write_variants(store, ["base", "again"])
    study = read_study(store, "study")
    first, second = study.stages
    assert variants(replace(study, stages=[first, replace(second, runs=first.runs)])) == []


def test_runs_measured_on_other_images_are_no_variants(store):
    write_variants(store, ["base", "other"])
    study = read_study(store, "study")
    first, second = study.stages
    elsewhere = [replace(run, evaluation=replace(run.evaluation, spec={"images": 5})) for run in second.runs]
    assert variants(replace(study, stages=[first, replace(second, runs=elsewhere)])) == []


def test_one_seed_has_a_difference_without_an_interval(store):
    write_variants(store, ["base", "other"], seeds=(0,))
    interval = variants(read_study(store, "study"))[1].against["novel_psnr"]
    assert (interval.mean, interval.low, interval.high) == (pytest.approx(1.0), None, None)


def test_the_page_and_the_summary_show_variants_and_parts(store):
    write_variants(store, ["base", "semantics"], parts=["semantics"])
    paths = build_report(store, "study", "2026-01-01 00:00 UTC")
    page, summary = store.read_bytes(paths.index).decode(), store.read_json(paths.summary)
    assert "Trainings side by side" in page
    assert "Stage semantics" in page
    assert "+1.10 [+0.85, +1.35]" in page
    assert [row["stage"] for row in summary["variants"]] == ["base", "semantics"]
    assert summary["variants"][1]["against_first"]["novel_psnr"][0] == pytest.approx(1.1)
    (sheet,) = parts_sheets(store, read_study(store, "study"), None)
    assert list(sheet.labels) == ["Input", "Reconstruction", "Parts", "Novel view", "Parts, novel view"]


def test_without_variants_the_page_says_nothing_of_them(store):
    write_variants(store, ["base"])
    paths = build_report(store, "study", "2026-01-01 00:00 UTC")
    assert "Trainings side by side" not in store.read_bytes(paths.index).decode()
    assert store.read_json(paths.summary)["variants"] == []


def test_students_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(size=(2000, 3))
    intervals = [student_mean(row.tolist()) for row in draws]
    assert 0.93 < np.mean([each.low <= 0 <= each.high for each in intervals]) < 0.97
    assert student_mean([]) is None
