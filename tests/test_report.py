"""The report page and its summary, from synthetic ledgers."""

import json
import re

import numpy as np
import pytest
from ledger_fixture import RECIPES, SPECIES, JsonStore, evaluation, write_ledger, write_run, write_stage
from page_reader import build

from g3dr.errors import DataError
from orchestrator.cli.report import report
from orchestrator.report import build_report
from orchestrator.report.collect import read_pictures, read_study
from orchestrator.report.pictures import recipe_sheet
from orchestrator.report.results import headline, species_rows

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = JsonStore(tmp_path_factory.mktemp("ledger"))
    write_ledger(store)
    return store


@pytest.fixture(scope="module")
def built(store):
    return build(store)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    store = JsonStore(tmp_path_factory.mktemp("photographs"))
    write_ledger(store, truth=False, per_species=4)
    return build(store)


def test_the_summary_has_a_row_for_every_stage_species_recipe_and_trial(built):
    _, summary = built
    assert [(stage["name"], stage["runs"]) for stage in summary["stages"]] == [
        ("pretrain", 1),
        ("loss_sweep", 8),
        ("species", 9),
        ("unseen", 1),
    ]
    assert [(row["species"], row["recipe"]) for row in summary["species"]] == [
        (species, recipe) for species in SPECIES for recipe in RECIPES
    ]
    assert len(summary["sweep"]) == 8
    assert summary["sweep"][2]["assignment"] == {"objective.rgb.form": "l2", "objective.depth.form": "l1"}
    assert summary["sweep"][2]["novel_depth_rmse"] == 0.171
    assert {"seconds_per_step", "state", "run", "stage"} <= set(summary["sweep"][0])


def test_the_summary_holds_the_pretrained_models_main_numbers(built):
    _, summary = built
    assert summary["novel_psnr"] - summary["copy_input_psnr"] == pytest.approx(summary["gain_db"])
    assert summary["gain_db_interval"]["mean"] == pytest.approx(summary["gain_db"])
    assert 4 < summary["gain_db_interval"]["low"] < summary["gain_db"] < summary["gain_db_interval"]["high"] < 6
    assert summary["extractor"] == {"name": "efficientnet-lite0", "sha256": "5a1c" * 16}
    assert summary["datasets"] == {"animals": {"version": "d41d8cd98f00b204", "rows": 368, "depth": "given depth"}}
    assert summary["git"]["commit"].startswith("3063463")


def test_species_rows_carry_their_own_metrics(built, store):
    _, summary = built
    row = summary["species"][4]
    record = store.read_json(f"runs/{row['run']}/evaluations/e{row['run']}.json")
    for name in ("canonical_psnr", "novel_psnr", "copy_input_psnr", "depth_rmse", "nfs", "nfs_truth", "fd", "kid", "kid_low", "kid_high"):
        assert row[name] == pytest.approx(record["metrics"][name])
    assert (row["images"], row["extractor"]) == (12, "efficientnet-lite0")


def test_measured_times_stand_only_in_fields_of_that_name(store, tmp_path):
    other = JsonStore(tmp_path)
    write_ledger(other)
    for path in other.list("experiments") + other.list("runs"):
        if path.endswith(("status.json", "species.json")):
            other.write_json(path, {name: value * 3 if "seconds" in name else value for name, value in other.read_json(path).items()})
    first, second = (build(each)[1] for each in (store, other))
    assert first != second
    assert _without_times(first) == _without_times(second)
    assert json.dumps(_without_times(first)) == json.dumps(_without_times(second))


def _without_times(value):
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if "seconds" not in name and name != "created"}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def test_the_page_needs_nothing_from_outside(built):
    page, _ = built
    sources = [
        value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href", "srcset", "action", "data")
    ]
    assert len(sources) > 50
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_every_picture_says_what_it_shows(built):
    page, _ = built
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert all(attributes["alt"] for attributes in pictures)
    assert all(attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and attributes.get("role") == "img")
    columns = ("Input", "Reconstruction", "Novel view", "True novel view", "Depth", "Given depth")
    assert all(any(attributes["alt"] == f"{column} of fish_01/0000" for attributes in pictures) for column in columns)


def test_the_page_shows_the_main_numbers_beside_the_baseline(built):
    page, summary = built
    for name in ("novel_psnr", "copy_input_psnr"):
        assert f"{summary[name]:.1f} dB" in page.text
    assert "36 images that the model was not trained on" in page.text
    assert "efficientnet-lite0" in page.text
    assert "FD (efficientnet-lite0)" in page.text
    assert "FID (" not in page.text


def test_the_page_says_what_must_not_be_concluded(built):
    page, _ = built
    for words in ("one seed", "mostly bias", "cannot be compared with the published table", "simpler than photographs", "no correction"):
        assert words in page.text


def test_only_differences_whose_interval_excludes_zero_are_marked(store, built):
    rows = species_rows(read_study(store, "study"))
    shown = [row.against_baseline[name] for row in rows for name in ("novel_psnr", "canonical_psnr", "depth_rmse") if row.against_baseline]
    evident = [interval for interval in shown if interval.excludes_zero]
    table = store.read_bytes("reports/study/tables/view-quality-and-depth-by-species-and-recipe.csv").decode()
    assert 0 < len(evident) < len(shown)
    assert table.count("(better)") + table.count("(worse)") == len(evident)


def test_marks_follow_the_direction_of_the_metric(store):
    rows = {(row.species, row.recipe): row for row in species_rows(read_study(store, "study"))}
    depth = rows["bird_03", "optimized"].against_baseline["depth_rmse"]
    assert depth.excludes_zero
    assert depth.mean < 0
    assert "Against the pre-trained model, optimized gives novel views that are better for bird_03, beetle_04" in build(store)[0].text


def test_loss_curves_have_a_panel_per_form_with_seconds_per_step(built):
    page, _ = built
    for form in ("l1", "l2", "smooth_l1", "cosine"):
        assert f"rgb = {form}" in page.text
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes]
    assert [label for label in labels if label.startswith("depth loss as")] == ["depth loss as l1", "depth loss as smooth_l1"]
    assert "0.124 s a step, 2 trials" in page.text


def test_failed_runs_are_shown_with_their_reason(built):
    page, summary = built
    assert "the loss became infinite at step 51" in page.text
    assert "1 failed, 7 finished" in page.text
    assert summary["stages"][1]["states"] == {"failed": 1, "finished": 7}
    assert "novel_psnr" not in summary["sweep"][-1]


def test_photographs_without_novel_truth_have_dashes_and_honest_words(photographs):
    page, summary = photographs
    assert summary["novel_psnr"] is None
    assert summary["gain_db"] is None
    assert summary["species"][0]["copy_input_psnr"] is None
    assert "—" in page.text
    assert "novel views can only be looked at" in page.text
    assert "simpler than photographs" not in page.text
    assert not re.search(r"\b(nan|None|undefined)\b", page.text)


def test_hostile_labels_are_escaped(tmp_path):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    store = JsonStore(tmp_path)
    write_ledger(store, description=hostile)
    record = evaluation("evil", [hostile], 8, gain=1.0)
    entry = write_run(store, "evil", record=record) | {
        "label": hostile,
        "species": hostile,
        "recipe": hostile,
        "assignment": {"objective.rgb.form": hostile},
    }
    write_stage(store, "study", "species", "grid", [entry])
    write_stage(store, "study", "loss_sweep", "sweep", [entry], best="evil", metric="novel_psnr", mode="max")
    page, _ = build(store)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert hostile in page.text


def test_a_study_that_has_not_started_has_a_page(tmp_path):
    store = JsonStore(tmp_path)
    store.write_json(
        "experiments/new/experiment.json", {"name": "new", "stages": [{"name": "loss_sweep", "kind": "sweep"}], "data": {"animals": {}}}
    )
    page, summary = build(store, "new")
    assert "nothing to conclude" in page.text
    assert "No trial of this sweep has been run yet" in page.text
    assert (summary["species"], summary["sweep"], summary["novel_psnr"]) == ([], [], None)


def test_half_written_runs_do_not_break_the_page(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    for path in store.list("runs"):
        if path.endswith((".safetensors", "status.json")) or "/metrics/" in path:
            store.delete(path)
    page, summary = build(store)
    assert len(summary["species"]) == 9
    assert summary["sweep"][0]["seconds_per_step"] is None
    assert not any(tag == "img" and attributes["alt"].startswith("Input") for tag, attributes in page.tags)


def test_several_seeds_of_a_recipe_are_one_row(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    entries = []
    for seed in range(2):
        record = evaluation(f"seed{seed}", ["fish_01"], 8, gain=1.0 + seed, seed=3)
        entries.append(write_run(store, f"seed{seed}", record=record) | {"species": "fish_01", "recipe": "fine_tuned", "seed": seed})
    write_stage(store, "study", "species", "grid", entries)
    _, summary = build(store)
    (row,) = summary["species"]
    assert [run["seed"] for run in row["runs"]] == [0, 1]
    values = [store.read_json(f"runs/seed{seed}/evaluations/eseed{seed}.json")["metrics"]["novel_psnr"] for seed in range(2)]
    assert row["novel_psnr"] == pytest.approx(np.mean(values))


def test_not_a_number_counts_as_missing(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    path = "runs/pretrained000000/evaluations/epretrained000000.json"
    record = store.read_json(path)
    record["metrics"]["canonical_psnr"] = float("nan")
    record["per_image"]["novel_psnr"][0] = float("inf")
    store.write_json(path, record)
    page, summary = build(store)
    assert summary["canonical_psnr"] is None
    assert summary["gain_db_interval"]["images"] == 35
    assert "nan" not in page.text


def test_a_train_stage_speaks_where_nothing_is_evaluated_apart(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    write_stage(store, "study", "unseen", "evaluate", [])
    assert headline(read_study(store, "study")).stage == "pretrain"


def test_recipes_that_show_different_objects_are_not_put_side_by_side(store):
    study = read_study(store, "study")
    pictures = [read_pictures(store, run.evaluation) for run in study.of_kind("grid")[0].runs]
    assert recipe_sheet({"a": pictures[0], "b": pictures[1]}, "fish") is not None
    assert recipe_sheet({"a": pictures[0], "b": pictures[3]}, "fish") is None
    assert recipe_sheet({}, "fish") is None


def test_an_unknown_experiment_names_the_known_ones(store):
    with pytest.raises(DataError, match=r"'quickstart'.*it has study"):
        build_report(store, "quickstart")
    assert store.list("reports/quickstart") == []


def test_the_command_prints_the_path_and_a_next_step(store, capsys):
    report(["study"], store.uri)
    printed = capsys.readouterr().out
    assert "reports/study/index.html" in printed
    assert "Next:" in printed


def test_a_sweep_over_numbers_shows_total_losses_and_sorts_by_value(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    trials = []
    for index in range(10):
        run = f"rate{index}"
        entry = write_run(store, run, steps=100, record=evaluation(run, ["fish_01"], 6, gain=index / 4))
        trials.append(entry | {"assignment": {"training.learning_rate": 10 ** -(2 + index / 3)}})
    write_stage(store, "study", "loss_sweep", "sweep", trials, best="rate9", metric="novel_psnr", mode="max")
    page, _ = build(store)
    assert "total loss of every trial" in page.text
    assert "and 2 more, colours repeat" in page.text
    assert "rate9 has the highest novel_psnr" in page.text
    values = [attributes["data-value"] for _, attributes in page.tags if attributes.get("data-value", "").startswith("0.00")]
    assert "0.001" in values
