"""The pages of a generated set and of a study of boosting in a real browser, offline: silent, sorting, turning."""

import pytest
from browser_visit import IN_CHROMIUM, LOOKS, Visit, launched, pixels
from generated_fixture import EVALUATION, Wanted, write_set
from ledger_fixture import JsonStore

from g3dr.depth.boosting.study import StudyOptions
from orchestrator.cli.boosting_study import measured, written
from orchestrator.report.generated import write_generated

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Both pages as files."""
    folder = tmp_path_factory.mktemp("pages")
    store = JsonStore(folder / "set")
    write_generated(store, "report.html", write_set(store, Wanted(count=3, objects=True, evaluation=EVALUATION)).to_json())
    options = StudyOptions(pictures=1, resolution=128)
    written(folder / "study", options, measured(("known",), options), "known")
    return {name: (folder / name / "report.html").as_uri() for name in ("set", "study")}


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.mark.parametrize("name", ["set", "study"])
@pytest.mark.parametrize("look", ["dark", "phone"])
def test_the_pages_open_offline_without_a_word_in_the_console(browser, addresses, name, look):
    opened = Visit(browser, addresses[name], **LOOKS[look])
    opened.page.wait_for_timeout(100)
    assert opened.said == []
    assert opened.outside(addresses[name]) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "only tables and charts scroll sideways"
    assert opened.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    opened.context.close()


def test_the_table_of_species_sorts_and_an_object_turns(browser, addresses):
    opened = Visit(browser, addresses["set"], **LOOKS["light"])
    page = opened.page
    table = page.locator("#table-generated-species")
    table.locator("thead th").nth(1).locator("button").click()
    shares = table.locator("tbody tr").evaluate_all("rows => rows.map(row => +row.cells[1].dataset.value)")
    assert shares == [0.6, 0.9]
    figure = page.locator("figure.model").first
    figure.locator("button.poster").click()
    canvas = figure.locator("canvas")
    canvas.wait_for()
    before = pixels(canvas, border=8)
    canvas.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert before.std() > 5, "something is drawn"
    assert opened.said == []
    opened.context.close()
