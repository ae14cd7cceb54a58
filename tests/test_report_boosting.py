"""The page of a study of boosting, and the command that measures one."""

import csv
import json

import numpy as np
import pytest
from page_reader import CREATED, Page
from typer.testing import CliRunner

from g3dr.depth.boosting.scenes import near_edges
from g3dr.depth.boosting.study import BOOSTED, MEASURES, USUAL, VARIANTS, StudyOptions, known_estimator, measure
from g3dr.errors import ConfigError
from orchestrator.cli.main import app
from orchestrator.report.boosting import Measured, boosting_page
from orchestrator.report.boosting.pictures import busiest_place
from orchestrator.report.boosting.records import MEASURES as SHOWN
from orchestrator.report.boosting.tables import errors_table
from orchestrator.report.boosting.words import cautions, conclusions, opening

pytestmark = pytest.mark.unit


def study(change=-0.03, spread=0.005, pictures=8):
    """A study whose boosted errors near edges are lower by `change`, more or less."""
    chance = np.random.default_rng(3)
    usual = chance.uniform(0.1, 0.14, pictures)
    shifts = {USUAL: 0.0, "three times as large": 0.05, "boosted, no patches": change, BOOSTED: change}
    errors = {}
    for variant, shift in shifts.items():
        values = usual + shift + (chance.normal(0, spread, pictures) if shift else 0)
        errors[variant] = [{"everywhere": 0.03, "near edges": float(value), "wrong order": 0.2, "seconds": 1.0} for value in values]
    return Measured("shipped network", "A network.", errors)


def test_the_measures_of_the_study_are_those_of_the_page():
    assert tuple(name for name, *_ in SHOWN) == MEASURES


def test_only_changes_whose_interval_excludes_zero_are_marked():
    def marks(measured):
        return {row.cells[0].text: row.cells[2].mark for row in errors_table(measured).rows}

    assert marks(study()) == {USUAL: "", "three times as large": "worse", "boosted, no patches": "better", BOOSTED: "better"}
    assert marks(study(change=-0.001, spread=0.05))[BOOSTED] == ""
    assert set(marks(study(pictures=5)).values()) == {""}, "five pictures are too few for a mark"


def test_sentences_follow_from_the_intervals():
    better, nothing = study(), study(change=-0.001, spread=0.05)
    part = -100 * better.change(BOOSTED, "near edges").mean / better.mean(USUAL, "near edges")
    assert f"boosting takes {part:.0f} % off the error near edges" in opening([better])
    assert "no change of the error near edges can be told from 8 pictures" in opening([nothing])
    assert "near edges no change can be told" in " ".join(conclusions([nothing]))
    assert "change nothing that can be told" in " ".join(conclusions([better])), "the parts bring nothing here"
    assert any("fewer than 6" in said for said in cautions([study(pictures=3)]))


def test_the_close_up_is_where_the_truth_has_most_edges():
    near = np.zeros((64, 64), np.bool_)
    near[40:48, 8:14] = True
    rows, columns = busiest_place(near)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (16, 16)
    assert near[rows, columns].sum() == near.sum()
    corner = np.zeros((64, 64), np.bool_)
    corner[-3:, -3:] = True
    assert corner[busiest_place(corner)].sum() == 9


def test_the_page_has_tables_charts_and_what_makes_it_again():
    page = Page(boosting_page([study()], "8 pictures", "g3dr boosting-analysis --seed 3", CREATED))
    assert "g3dr boosting-analysis --seed 3" in page.text
    charts = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and attributes.get("class") == "chart"]
    assert len(charts) == 3
    assert sum(tag == "circle" for tag, _ in page.tags) == 3 * 4 * 8
    assert "dB" not in page.text


def test_maps_are_kept_of_the_first_pictures_in_the_scale_of_the_truth():
    options, seen = StudyOptions(pictures=2, resolution=128, seed=5), []
    scenes = options.scenes()
    found = measure(known_estimator(scenes), scenes, lambda *told: seen.append(told), keep=1)
    assert list(found.maps) == ["0"]
    assert list(found.maps["0"]) == list(found.errors) == list(VARIANTS)
    assert seen == [(done, 8) for done in range(9)]
    truth, near = scenes["0"].truth, near_edges(scenes["0"].truth)
    error = np.sqrt(((found.maps["0"][USUAL] - truth)[near] ** 2).mean())
    assert error == pytest.approx(found.errors[USUAL][0]["near edges"])


@pytest.mark.parametrize(("name", "value"), [("pictures", 0), ("resolution", 100), ("resolution", 4096), ("seed", -1)])
def test_wrong_studies_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"--{name}"):
        StudyOptions(**{name: value})


def test_the_command_writes_a_page_a_table_and_figures(tmp_path):
    words = ["boosting-analysis", "--estimator", "known", "--pictures", "2", "--resolution", "128", "-o", str(tmp_path / "study")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "next: open" in result.output
    record = json.loads((tmp_path / "study" / "boosting.json").read_text())
    assert record["options"] == {"pictures": 2, "resolution": 128, "seed": 100}
    errors = record["estimators"]["known"]["errors"]
    rows = list(csv.DictReader((tmp_path / "study" / "boosting.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert float(rows[-1]["near_edges"]) == errors["boosted"][1]["near edges"]
    page = Page((tmp_path / "study" / "report.html").read_text())
    assert "--estimator known --pictures 2 --resolution 128 --seed 100" in page.text
    pictures = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 2 * 15
    assert pictures[:5] == [f"{what}, disparity" for what in ("Picture", "True disparity", "Usual size", "Three times as large", "Boosted")]


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["boosting-analysis", "-o", str(tmp_path / "file")])
    assert result.exception is not None
    assert "file" in str(result.exception)
    assert "measuring" not in result.output
