"""The page of a generated set, and its place on the page of the experiment whose denoiser drew it."""

import json
from dataclasses import replace

import pytest
from generated_fixture import EVALUATION, METRICS, Wanted, write_set
from ledger_fixture import JsonStore
from page_reader import CREATED, Page, build

from orchestrator.content_ids import ID_LENGTH
from orchestrator.generating.records import keep
from orchestrator.ledger import generated
from orchestrator.report.generated import write_generated
from orchestrator.report.generated.pictures import MOST_COLUMNS, contact_sheets
from orchestrator.report.generated.records import read_set
from orchestrator.report.generated.tables import MOST_LOOKS, figures_table, species_table
from orchestrator.report.generated.words import cautions, conclusions, opening
from orchestrator.report.statistics import share_interval

pytestmark = pytest.mark.unit

RUN = "de40" * 4


def made_of(**metrics):
    """Returns the set of the fixture with some figures changed; None takes a figure away."""
    changed = {name: value for name, value in (METRICS | metrics).items() if value is not None}
    pictures = [{"name": f"fish_01-{seed:04d}", "subject": "fish_01", "seed": seed} for seed in range(40)]
    asked = {"subjects": list(EVALUATION["species"]), "candidates": 1}
    return read_set({"asked": asked, "pictures": pictures, "evaluation": EVALUATION | {"metrics": changed}})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A set with objects and figures; its store, its record and its page."""
    store = JsonStore(tmp_path_factory.mktemp("set"))
    record = write_set(store, Wanted(candidates=4, objects=True, evaluation=EVALUATION))
    write_generated(store, "report.html", record.to_json(), CREATED)
    return store, record, Page(store.read_bytes("report.html").decode())


def test_wilsons_interval_has_its_known_values():
    """Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3."""
    for count, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        found = share_interval(count, total)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_the_page_says_what_was_asked_who_drew_and_who_looked(whole):
    _, record, page = whole
    for said in (
        "2 species", "bird_03, fish_01", "seeds", "4 a picture, the best kept by efficientnet-lite0 likeness", "latent diffusion",
        "de40" * 16, "c0de" * 16, "dpm, steps: 30", "estimated by g3dr-depth (weights 9c798233)", "quickstart/pretrain",
        "species2-1234abcd, 40 held-out and 400 training pictures", "d41d8cd98f00b204", "5a1c" * 16, record.id,
    ):  # fmt: skip
        assert said.lower() in page.text.lower(), said
    assert "FID" not in page.text.replace("called FID", "")
    assert "/data/" not in page.text


def test_every_figure_stands_beside_that_of_real_pictures():
    table = figures_table(made_of().comparison)
    figures = {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}
    assert figures["KID (efficientnet-lite0)"] == ["0.4000", "0.0100", "\u2014", "40"]
    assert figures["FD (efficientnet-lite0)"][:2] == ["90.0", "60.0"]
    assert figures["species as asked for"] == ["75 %", "95 %", "50 %", "40"]
    assert figures["NFS of estimated depth"] == ["11.0", "14.5", "\u2014", "4"]
    assert table.rows[0].cells[1].detail == "[0.3000, 0.5000]"


def test_the_confusion_table_counts_every_picture_once():
    table = species_table(made_of().comparison)
    assert [column.heading for column in table.columns][3:] == ["bird_03", "fish_01"]
    rows = {row.cells[0].text: row.cells for row in table.rows}
    assert [cell.value for cell in rows["fish_01"][3:]] == [8, 12]
    assert (rows["bird_03"][1].text, rows["fish_01"][2].text) == ("90 %", "90 %")
    assert sum(cell.value for cells in rows.values() for cell in cells[3:]) == 40


def test_with_many_species_the_table_names_what_pictures_are_taken_for():
    names = [f"species_{number:02d}" for number in range(MOST_LOOKS + 1)]
    looks = {name: {"looks_like": {name: 3, names[0]: 2, names[1]: 1}, "real_looks_like": {name: 5}} for name in names[2:]}
    looks |= {name: {"looks_like": {name: 6}, "real_looks_like": {name: 5}} for name in names[:2]}
    table = species_table(read_set({"evaluation": EVALUATION | {"species": looks}}).comparison)
    assert len(table.columns) == 4
    assert {row.cells[3].text for row in table.rows} == {names[0], "\u2014"}
    assert table.rows[0].cells[3].detail == "2"


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (11, "cannot be told from the pictures"),
        (2, "less often than by chance"),
        (17, "no difference can be told at this number"),
        (14, "The weakest is fish_01"),
    ],
)
def test_shares_are_judged_by_their_intervals(right, said):
    looks = {
        name: {"looks_like": {name: right, "other": 20 - right}, "real_looks_like": {name: 19, "other": 1}} for name in ("bird", "fish_01")
    }
    looks["fish_01"]["looks_like"] = {"fish_01": right - 1, "bird": 21 - right}
    made = replace(made_of(), comparison=read_set({"evaluation": EVALUATION | {"species": looks}}).comparison)
    assert said in " ".join(conclusions(made))


def test_a_set_at_its_floor_is_not_called_further_away():
    far, near = made_of(), made_of(kid=0.02, kid_low=-0.01, kid_high=0.05)
    assert "further from held-out pictures than training pictures are" in " ".join(conclusions(far))
    assert "No distance from held-out pictures can be told at 40 pictures a side" in " ".join(conclusions(near))
    alone = made_of(species_accuracy=None)
    assert opening(alone).startswith("40 pictures: they are further")
    assert "flatter than that of the data, 14.5" in " ".join(conclusions(far))


def test_a_judge_who_looks_through_the_same_network_is_named():
    chosen = replace(made_of(), candidates=4, judge="efficientnet-lite0 likeness")
    assert any("same network as the figures" in said for said in cautions(chosen))
    other = replace(chosen, judge="CLIP ViT-B/32")
    assert not any("same network" in said for said in cautions(other))
    assert any("best of 4" in said for said in cautions(other))
    assert not any("best of" in said for said in cautions(made_of()))


def test_a_set_that_nobody_measured_has_a_page_without_figures(tmp_path):
    store = JsonStore(tmp_path)
    write_generated(store, "report.html", write_set(store, Wanted(species=("fish_01",))).to_json(), CREATED)
    page = Page(store.read_bytes("report.html").decode())
    assert "2 pictures, compared with nothing: they can only be looked at." in page.text
    assert not any(dict(attributes).get("id") in ("figures", "species", "objects") for _, attributes in page.tags)
    assert sum(tag == "img" for tag, _ in page.tags) == 2


def test_sheets_have_a_column_for_each_species_or_rows_of_one(tmp_path):
    store = JsonStore(tmp_path)
    both = read_set(write_set(store.child("both"), Wanted(count=3)).to_json())
    (sheet,) = contact_sheets(store.child("both"), both)
    assert list(sheet.labels) == ["bird_03", "fish_01"]
    assert [thumb.description for thumb in sheet.rows[2][1]] == ["bird_03, seed 2", "fish_01, seed 2"]
    one = read_set(write_set(store.child("one"), Wanted(count=10, species=("fish_01",))).to_json())
    (sheet,) = contact_sheets(store.child("one"), one)
    assert [len(pictures) for _, pictures in sheet.rows] == [MOST_COLUMNS, 2]
    assert [thumb.description for thumb in sheet.rows[1][1]] == ["fish_01, seed 8", "fish_01, seed 9"]


def test_objects_stand_beside_the_picture_and_the_depth_that_they_came_from(whole):
    _, _, page = whole
    figures = [attributes["data-name"] for tag, attributes in page.tags if tag == "figure" and attributes.get("class") == "model"]
    assert figures == ["bird_03-0000", "fish_01-0000", "bird_03-0004", "fish_01-0004"]
    assert "80 triangles" in page.text
    assert "Drawn Estimated depth Reconstruction From the left From the right" in page.text


def test_a_measured_set_stands_in_the_denoisers_section_and_in_the_summary(tmp_path, whole):
    store, record = JsonStore(tmp_path), whole[1]
    store.write_json("experiments/study/experiment.json", {"name": "study", "stages": [{"name": "denoiser", "kind": "network"}]})
    entry = {"run": RUN, "label": "denoiser", "state": "finished"}
    store.write_json("experiments/study/stages/denoiser.json", {"kind": "network", "seconds": 1.0, "runs": [entry]})
    before, summary = build(store)
    assert summary["generated"] == []
    keep(record, RUN, store)
    keep(record, RUN, store)
    page, summary = build(store)
    (figures,) = summary["generated"]
    assert (figures["run"], figures["set"], figures["kid"]) == (RUN, record.id, 0.4)
    assert len(record.id) == ID_LENGTH
    assert "Drawn: 2 species" in page.text
    assert "the best of 4 by efficientnet-lite0 likeness, seeds 0 to 4, sampler dpm, steps 30, guidance 3.0; weights de40de40" in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == sum(tag == "img" for tag, _ in before.tags) + 1
    store.delete(generated.sheet_path(RUN, record.id))
    assert "Drawn: 2 species" in build(store)[0].text


def test_equal_sets_are_one_and_places_do_not_count(whole):
    record = whole[1]
    moved = replace(record, written=replace(record.written, about={**record.written.about, "root": "/elsewhere"}))
    assert moved.id == record.id
    assert replace(record, asked=replace(record.asked, seed=1)).id != record.id
    assert replace(record, evaluation=EVALUATION | {"version": "another"}).id != record.id
    assert json.loads(json.dumps(record.to_json())) == record.to_json()
