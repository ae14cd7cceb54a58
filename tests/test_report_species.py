"""The table in the report's shape: pooling, floors, and marks that need both kinds of interval."""

import numpy as np
import pytest
from study_fixture import JsonStore, write_declared, write_grid

from orchestrator.report.collect import read_study
from orchestrator.report.numbers import MISSING
from orchestrator.report.results import species_rows, told_apart
from orchestrator.report.species import pooled_rows, report_table, report_words
from orchestrator.report.statistics import Interval

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path):
    store = JsonStore(tmp_path)
    write_declared(store, {"species": "grid"})
    return store


def sure(place):
    """Returns the sums of pictures that are each surely of one class."""

    def classes(recipe, species, seed):
        totals = [0.0] * 5
        totals[place(species)] = 8.0
        return {"made": {"count": 8, "certainty": 0.0, "totals": totals}, "real": {"count": 8, "certainty": 0.0, "totals": totals}}

    return classes


@pytest.mark.parametrize(
    ("place", "score"), [(lambda species: {"fish_01": 0, "bird_03": 1, "beetle_04": 2}[species], 3.0), (lambda _: 0, 1.0)]
)
def test_the_inception_score_is_pooled_over_species(store, place, score):
    """As many sure classes as there are species score their number; one class throughout scores 1."""
    write_grid(store, lambda *_: 0.1, classes_of=sure(place))
    rows = pooled_rows(species_rows(read_study(store, "study")))
    assert [row.recipe for row in rows] == ["pre_trained", "fine_tuned", "optimized"]
    assert [len(row.scores) for row in rows] == [1, 4, 4]
    assert all(value == pytest.approx(score) for row in rows for value in row.scores)
    assert rows[0].real_score == pytest.approx(score)


def test_a_species_alone_has_no_inception_score(store):
    write_grid(store, lambda *_: 0.1)
    table = report_table(species_rows(read_study(store, "study")))
    place = [column.heading for column in table.columns].index("IS (efficientnet-lite0)")
    assert {row.cells[place].text for row in table.rows} == {MISSING}


def test_the_table_has_every_species_and_recipe_with_seeds_and_floors(store):
    write_grid(store, lambda *_: 0.1)
    table = report_table(species_rows(read_study(store, "study")))
    assert len(table.rows) == 3 * 3 + 3
    headings = [column.heading for column in table.columns]
    first = dict(zip(headings, table.rows[1].cells, strict=True))
    assert first["Seeds"].value == 4
    assert first["FD (efficientnet-lite0)"].detail == "floor 61.2"
    assert "floor" in first["KID (efficientnet-lite0)"].detail
    assert first["NFS"].detail == "truth 33.4"


def test_a_mark_needs_images_and_seeds():
    clear, open_ = Interval(1.0, 0.5, 1.5, 12), Interval(1.0, -0.5, 2.5, 4, 3)
    assert told_apart(clear, None) is clear
    assert told_apart(clear, Interval(1.0, 0.9, 1.1, 4, 3)) is clear
    assert told_apart(clear, open_) is None
    assert told_apart(open_, clear) is None
    assert told_apart(None, None) is None


def test_words_and_marks_of_all_species_say_the_same(store):
    write_grid(store, lambda *_: 0.1, shift_of=lambda recipe: 2.0 if recipe == "optimized" else 0.0)
    rows = species_rows(read_study(store, "study"))
    sentences = [sentence for sentence in report_words(rows) if "depth error" in sentence]
    for row, sentence in zip([row for row in pooled_rows(rows) if row.recipe != "pre_trained"], sentences, strict=True):
        told = told_apart(row.against_baseline["depth_rmse"], row.against_over_seeds.get("depth_rmse"))
        assert ("cannot be told apart" in sentence) == (told is None)
        assert told is None or ("smaller" in sentence) == (told.mean < 0)


def test_a_view_that_kid_cannot_tell_from_real_images_is_said_so(store):
    write_grid(store, lambda *_: 0.1)
    rows = species_rows(read_study(store, "study"))
    assert not any("cannot tell the views" in sentence for sentence in report_words(rows))
    near = [type(row)(**{**vars(row), "metrics": {**row.metrics, "kid_low": -0.01}}) for row in rows]
    assert any("cannot tell the views" in sentence for sentence in report_words(near))
    assert np.isfinite([row.metrics["kid"] for row in near]).all()
