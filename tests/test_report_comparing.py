"""Several experiments on one page."""

import pytest
from ledger_fixture import SPECIES, JsonStore, evaluation, write_ledger, write_run, write_stage
from typer.testing import CliRunner

from g3dr.errors import ConfigError, DataError
from orchestrator.cli.main import app
from orchestrator.report import build_comparison
from orchestrator.report.comparing.pairs import HEADLINE, pairs
from orchestrator.report.comparing.settings import differing_settings
from orchestrator.report.comparing.sides import read_sides

pytestmark = pytest.mark.unit
CREATED = "2026-01-01 00:00 UTC"


def _write_longer(store, *, shift=0.5, version=None, seed=9):
    """An experiment with a sweep that it shares with `study`, and a pretraining of its own."""
    write_ledger(store, "longer", per_species=8)
    write_ledger(store, "study", per_species=8)
    record = evaluation("longer0000000000", SPECIES, 8, gain=5.1, shift=shift, seed=seed)
    if version:
        record["spec"]["data"]["version"] = version
    run = write_run(store, "longer0000000000", record=record, steps=200) | {"label": "pretrain"}
    write_stage(store, "longer", "pretrain", "train", [run])
    write_stage(store, "longer", "unseen", "evaluate", [run])
    path = "experiments/longer/experiment.json"
    experiment = store.read_json(path)
    experiment["training"] = {"steps": 200}
    experiment["stages"] = [experiment["stages"][0] | {"workers": 2}, *experiment["stages"][:0:-1]]
    store.write_json(path, experiment | {"name": "longer", "git": {"commit": "b" * 40, "dirty": True}})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = JsonStore(tmp_path_factory.mktemp("compared"))
    _write_longer(store)
    return store


@pytest.fixture(scope="module")
def sides(store):
    return read_sides(store, ["study", "longer"], lambda root: pytest.fail(f"opened {root}"))


@pytest.fixture(scope="module")
def page(store):
    return store.read_bytes(build_comparison(store, ["study", "longer"], CREATED).index).decode()


def test_models_are_compared_image_by_image(sides, store):
    found = {pair.metric.name: pair for pair in pairs(sides) if pair.what == HEADLINE}
    first = store.read_json("runs/pretrained000000/evaluations/epretrained000000.json")["per_image"]
    second = store.read_json("runs/longer0000000000/evaluations/elonger0000000000.json")["per_image"]
    assert first["key"] == second["key"]
    truth = [b - a for a, b in zip(first["canonical_psnr"], second["canonical_psnr"], strict=True)]
    pair = found["canonical_psnr"]
    assert pair.difference.mean == pytest.approx(sum(truth) / len(truth))
    assert pair.difference.count == len(SPECIES) * 8
    assert pair.difference.low < pair.difference.mean < pair.difference.high
    assert pair.means[1] - pair.means[0] == pytest.approx(pair.difference.mean)
    assert (pair.verdict, found["depth_rmse"].verdict) == (1, 1), "less is better for an error"


def test_species_whose_runs_are_the_same_runs_are_left_out(sides):
    assert [pair for pair in pairs(sides) if pair.what != HEADLINE] == []


def test_images_of_another_dataset_are_never_paired(tmp_path):
    store = JsonStore(tmp_path)
    _write_longer(store, version="another")
    assert pairs(read_sides(store, ["study", "longer"], JsonStore)) == []
    page = store.read_bytes(build_comparison(store, ["study", "longer"], CREATED).index).decode()
    assert "share no measured images" in page
    assert "measured on another dataset" in page
    assert "Settings that differ" in page


def test_a_distance_of_another_network_or_over_other_views_is_not_paired(tmp_path):
    store = JsonStore(tmp_path)
    _write_longer(store)
    path = "runs/longer0000000000/evaluations/elonger0000000000.json"
    record = store.read_json(path)
    record["spec"]["views"] = 2
    store.write_json(path, record)
    found = {pair.metric.name for pair in pairs(read_sides(store, ["study", "longer"], JsonStore))}
    assert found == {"canonical_psnr", "depth_rmse"}


def test_the_page_names_shared_runs_and_settings_that_differ(page, sides):
    settings = {setting.path: setting.values for setting in differing_settings(sides)}
    assert settings == {"training.steps": ["", "200"], "stages.pretrain.workers": ["", "2"]}, "the order of stages is no setting"
    assert "tcosinesmooth_l1" in page
    assert "longer0000000000" not in page.partition('id="runs"')[2].partition("</section>")[0]
    assert "Novel views of longer are" in page or "cannot be told apart on 24 images" in page


def test_a_comparison_leaves_tables_and_a_summary_beside_the_page(store):
    paths = build_comparison(store, ["study", "longer"], CREATED)
    assert paths.index == "reports/study+longer/index.html"
    assert "reports/study+longer/tables/unseen-images-paired.csv" in paths.tables
    assert all(store.exists(path) for path in paths.tables)
    summary = store.read_json(paths.summary)
    assert [side["name"] for side in summary["experiments"]] == ["study", "longer"]
    assert len(summary["shared_runs"]) == 8 + 9
    assert {"metric", "difference", "verdict"} <= set(summary["differences"][0])


def test_experiments_of_two_roots_are_told_apart_by_them(store, tmp_path):
    other = JsonStore(tmp_path)
    write_ledger(other, "study", per_species=8)
    sides = read_sides(store, ["study", f"study@{tmp_path}"], JsonStore)
    assert [side.name for side in sides] == [f"study@{store.uri}", f"study@{other.uri}"]
    page = store.read_bytes(build_comparison(store, ["study", f"study@{tmp_path}"], CREATED).index).decode()
    assert "measured one and the same model" in page


def test_all_unknown_names_are_said_at_once(store):
    with pytest.raises(DataError, match=r"'studdy'.*did you mean \"study\".*'zebra'.*it has longer, study"):
        build_comparison(store, ["studdy", "zebra", "study"])
    assert store.list("reports/studdy+zebra+study") == []


@pytest.mark.parametrize("names", [["study"], ["study"] * 2, ["study", "longer", "study"]])
def test_one_experiment_or_the_same_twice_is_no_comparison(store, names):
    with pytest.raises(ConfigError):
        build_comparison(store, names)


def test_the_command_compares_and_refuses_without_a_traceback(store):
    result = CliRunner().invoke(app, ["report", "study", "longer", "--root", store.uri])
    assert result.exit_code == 0, result.output
    assert "reports/study+longer/index.html" in result.output
    assert "Next:" in result.output
