"""What lies on the page and beside it: landmarks, contrast, size, lineage, cost, tables as files, objects to turn."""

import base64
import csv
import io
import re
from importlib.resources import files

import pytest
from ledger_fixture import JsonStore, add_meshes, add_steps, write_ledger
from page_reader import CREATED, Page, build

from orchestrator.planning.prices import Prices
from orchestrator.report import build_report
from orchestrator.report.collect import read_study
from orchestrator.report.models import models
from orchestrator.report.results import headline, species_rows

pytestmark = pytest.mark.unit
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = JsonStore(tmp_path_factory.mktemp("ledger"))
    write_ledger(store)
    add_meshes(store, "pretrained000000")
    add_steps(store, "pretrained000000")
    return store


@pytest.fixture(scope="module")
def built(store):
    return build(store)


def test_every_section_can_be_reached_from_the_contents(built):
    page, _ = built
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    targets = [attributes["href"][1:] for tag, attributes in page.tags if tag == "a"]
    assert targets[0] == "main", "the first link leads past the contents"
    assert set(targets) <= set(identities)
    headings = {attributes["id"] for tag, attributes in page.tags if tag == "h2"}
    assert set(targets) == headings - {"result"} | {"main"}


def test_every_part_of_the_page_is_a_landmark_with_a_name(built):
    page, _ = built
    tags = [tag for tag, _ in page.tags]
    assert (tags.count("main"), tags.count("nav"), tags.count("header"), tags.count("h1")) == (1, 1, 1, 1)
    identities = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    sections = [attributes for tag, attributes in page.tags if tag == "section"]
    assert all(attributes["aria-labelledby"] in identities for attributes in sections)
    focusable = [attributes for tag, attributes in page.tags if attributes.get("tabindex") == "0"]
    assert all(attributes["aria-label"] for attributes in focusable)
    assert not any(int(attributes.get("tabindex", 0)) > 0 for _, attributes in page.tags), "the order of focus is that of the page"


def test_the_page_says_what_it_took_and_where_it_comes_from(store, built):
    page, summary = built
    steps = {run.run: run.step for stage in read_study(store, "study").stages for run in stage.runs}
    assert summary["spent"]["runs"] == len(steps) == 18
    assert summary["spent"]["steps"] == sum(steps.values())
    assert summary["spent"]["training_seconds"] == pytest.approx(sum(steps.values()) * 0.124)
    assert summary["spent"]["training_cost"] is None
    assert "Cost of training" not in page.text
    assert [item["sha256"] for item in summary["lineage"]["weights"]] == ["5a1c" * 16]
    assert f"SHA-256 {'5a1c' * 16}" in page.text


def test_trainings_name_what_they_began_from(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    for path in store.list("runs"):
        if path.endswith("spec.json") and "pretrained" not in path:
            store.write_json(path, store.read_json(path) | {"initial": "pretrained000000"})
    page, summary = build(store)
    assert summary["lineage"]["origins"] == [
        {"stage": stage, "runs": count, "initial": "pretrained000000", "known_as": "pretrain: pretrain"}
        for stage, count in (("loss_sweep", 8), ("species", 9))
    ]
    assert "species: 9 runs from pretrain: pretrain pretrained000000" in page.text


def test_prices_give_the_cost_of_the_training(store):
    prices = Prices.model_validate({"currency": "EUR", "machines": {"box": {"per_hour": 36.0, "cpus": 2}}})
    paths = build_report(store, "study", CREATED, prices)
    spent = store.read_json(paths.summary)["spent"]
    assert spent["training_cost"] == pytest.approx(spent["training_seconds"] * 0.01)
    assert "Cost of training" in Page(store.read_bytes(paths.index).decode()).text


def test_what_was_measured_while_it_trained_is_drawn(built):
    page, _ = built
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes]
    assert {label for label in labels if label.endswith("over the steps of the training")} >= {
        f"{name} over the steps of the training" for name in ("KID (efficientnet-lite0)", "IS (efficientnet-lite0)", "NFS")
    }


def test_tables_lie_beside_the_page_and_old_ones_go(store):
    store.write_bytes("reports/study/tables/older.csv", b"x")
    paths = build_report(store, "study", CREATED)
    assert sorted(store.list("reports/study/tables")) == list(paths.tables)
    rows = list(csv.DictReader(io.StringIO(store.read_bytes("reports/study/tables/trials-of-loss-sweep.csv").decode())))
    assert [row["State"] for row in rows] == ["finished"] * 7 + ["failed"]
    assert rows[7]["State, detail"].startswith("the loss became infinite")
    summary = store.read_json(paths.summary)
    assert float(rows[0]["Novel views (PSNR, dB)"]) == pytest.approx(summary["sweep"][0]["novel_psnr"], rel=1e-9)


def test_objects_to_turn_carry_their_files_and_the_viewer_comes_once(built, store):
    page, _ = built
    models = [attributes for tag, attributes in page.tags if tag == "figure" and attributes.get("class") == "model"]
    assert [attributes["data-name"] for attributes in models] == ["fish_01/0000", "fish_01/0001"]
    assert sum(attributes.get("id") == "viewer" for _, attributes in page.tags) == 1
    data = store.read_bytes("runs/pretrained000000/evaluations/epretrained000000/meshes/1.glb")
    assert base64.b64encode(data).decode() in page.text


def test_a_page_carries_no_more_objects_than_it_can(store, monkeypatch):
    study = read_study(store, "study")
    first = headline(study).evaluation.meshes[0]
    monkeypatch.setattr("orchestrator.report.models.MOST_BYTES", 2 * first.size - 1)
    assert [model.name for model in models(store, study, headline(study), [])] == [first.key]


def test_a_record_cannot_point_to_a_file_outside_of_its_evaluation(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    path = "runs/pretrained000000/evaluations/epretrained000000.json"
    meshes = [{"key": "x", "file": "../../../../secret", "bytes": 1, "triangles": 1}]
    store.write_json(path, store.read_json(path) | {"meshes": meshes})
    study = read_study(store, "study")
    (mesh,) = headline(study).evaluation.meshes
    assert mesh.path == "runs/pretrained000000/evaluations/epretrained000000/meshes/secret"
    assert models(store, study, headline(study), []) == []


def test_the_best_trial_of_a_sweep_and_every_species_show_an_object(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    for run in ("tl2l100000000000", "gfish_01optimized".ljust(24, "0")):
        add_meshes(store, run)
    study = read_study(store, "study")
    names = [model.name for model in models(store, study, headline(study), species_rows(study))]
    assert names == ["fish_01/0000, optimized", "fish_01/0000, loss_sweep: rgb l2, depth l1"]


def test_a_page_of_the_quickstarts_size_stays_small(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store, per_species=16, side=64)
    add_meshes(store, "pretrained000000")
    paths = build_report(store, "study", CREATED)
    page = store.read_bytes(paths.index)
    assert page.count(b"<img ") > 100
    assert len(page) < 5 * MEGABYTE, "25 MB is the most it may have; pictures of 64 pixels need far less"


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_can_be_read_on_its_ground(theme):
    colors = _colors(theme)
    grounds = {
        "paper": ("ink", "soft", "model", "better", "worse"),
        "raised": ("ink", "soft", "model"),
        "faint": ("ink", "soft"),
        "best": ("ink", "better", "worse"),
    }
    for ground, texts in grounds.items():
        for text in texts:
            assert _contrast(colors[text], colors[ground]) >= 4.5, f"{text} on {ground}, {theme}"
    for name in ("copy", *(f"s{index}" for index in range(8))):
        assert _contrast(colors[name], colors["paper"]) >= 3, f"graphics: {name}, {theme}"


def _colors(theme):
    folder = files("orchestrator.report") / "templates"
    light, dark = re.findall(r":root {(.*?)}", (folder / "style.css").read_text(), re.DOTALL)
    printed = re.search(r":root {(.*?)}", (folder / "print.css").read_text(), re.DOTALL).group(1)
    chosen = {"light": light, "dark": light + dark, "print": printed}[theme]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", chosen))


def _contrast(one, other):
    """WCAG 2.2, relative luminance and contrast ratio."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color):
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
