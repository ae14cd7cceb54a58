"""The report page in a real browser, opened from a disk with the network off: it stays silent, sorts, copies, zooms and turns."""

import json

import numpy as np
import pytest
from browser_visit import IN_CHROMIUM, LOOKS, PHONE, Visit, launched, pixels
from ledger_fixture import JsonStore, add_meshes, add_steps, write_ledger

from orchestrator.report import build_comparison, build_report

pytestmark = IN_CHROMIUM

CHART = '.chart[data-x][aria-label="loss over the steps of the training"]'


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = JsonStore(tmp_path_factory.mktemp("browser"))
    write_ledger(store)
    write_ledger(store, "other")
    add_meshes(store, "pretrained000000")
    add_steps(store, "pretrained000000")
    return store


@pytest.fixture(scope="module")
def address(store, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "index.html"
    page.write_bytes(store.read_bytes(build_report(store, "study").index))
    return page.as_uri()


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(browser, address):
    visits = []

    def open_page(where=address, **options):
        visits.append(Visit(browser, where, **options))
        return visits[-1]

    yield open_page
    for opened in visits:
        opened.context.close()


@pytest.fixture
def page(visit):
    return visit(**LOOKS["light"]).page


def _turned(canvas):
    """The pixels of a canvas without its border, where the ring of the focus is."""
    return pixels(canvas, border=8)


def _column(page, table, index):
    return page.locator(f"{table} tbody tr").evaluate_all(f"rows => rows.map(row => row.cells[{index}].dataset.value)")


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_opens_offline_without_a_word_in_the_console(visit, address, look):
    opened = visit(**LOOKS[look])
    opened.page.wait_for_timeout(100)
    assert opened.said == []
    assert opened.outside(address) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "only tables scroll sideways"
    assert opened.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    ground = pixels(opened.page.locator("h1")).max(axis=2)
    assert (np.median(ground) < 60) == (look == "dark")


def test_comparisons_open_as_quietly(visit, store, tmp_path):
    file = tmp_path / "index.html"
    file.write_bytes(store.read_bytes(build_comparison(store, ["study", "other"]).index))
    opened = visit(file.as_uri(), **PHONE)
    assert opened.said == []
    assert opened.outside(file.as_uri()) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_headings_sort_by_click_and_by_keyboard(page):
    table = "#table-view-quality-and-depth-by-species-and-recipe"
    heading = page.locator(f"{table} thead th").nth(3)
    heading.locator("button").click()
    values = [float(value) for value in _column(page, table, 3)]
    assert len(set(values)) > 3
    assert values == sorted(values)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").press("Enter")
    assert [float(value) for value in _column(page, table, 3)] == sorted(values, reverse=True)


def test_unknown_values_stay_last_in_both_directions(page):
    table = "#table-view-quality-and-depth-by-species-and-recipe"
    for _ in range(2):
        page.locator(f"{table} thead th").nth(5).locator("button").click()
        values = _column(page, table, 5)
        assert values[-3:] == ["", "", ""]
        assert "" not in values[:-3]


WITHOUT_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"


@pytest.mark.parametrize("script", ["", WITHOUT_CLIPBOARD], ids=["clipboard", "selection"])
def test_tables_are_copied_as_they_are_sorted(visit, store, script):
    page = visit(script=script, **LOOKS["light"]).page
    table = page.locator("#table-trials-of-loss-sweep")
    table.locator("thead button").nth(0).click()
    order = [int(row) for row in table.locator("tbody tr").evaluate_all("rows => rows.map(row => row.dataset.row)")]
    assert order != sorted(order)
    table.get_by_role("button", name="Copy as CSV").press("Enter")
    table.get_by_text("Copied as CSV.").wait_for()
    head, *rows = store.read_bytes("reports/study/tables/trials-of-loss-sweep.csv").decode().splitlines()
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    page.locator("#pasted").press("Control+v")
    assert page.locator("#pasted").input_value().splitlines() == [head, *(rows[index] for index in order)]


def test_a_chart_zooms_and_comes_back(page):
    chart = page.locator(CHART)
    marks, ticks = chart.locator(".marks"), chart.locator(".ticks")
    whole, all_ticks = marks.get_attribute("viewBox"), ticks.inner_html()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    seen = [float(number) for number in marks.get_attribute("viewBox").split()]
    assert seen[2] == pytest.approx(0.2 * 300, abs=8), "a fifth of the chart's 300 units"
    assert ticks.inner_html() != all_ticks
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    assert [float(number) for number in marks.get_attribute("viewBox").split()] == [float(number) for number in whole.split()]


@pytest.mark.parametrize("way", ["keys", "wheel", "buttons"])
def test_a_chart_zooms_by(page, way):
    chart = page.locator(CHART)
    chart.focus()
    tools = page.locator("figure", has=chart)
    zoom = {
        "keys": lambda: page.keyboard.press("+"),
        "wheel": lambda: (chart.hover(), page.mouse.wheel(0, -100)),
        "buttons": lambda: tools.get_by_role("button", name="Zoom in").click(),
    }[way]
    whole = float(chart.locator(".marks").get_attribute("viewBox").split()[2])
    zoom()
    page.wait_for_function(
        "([chart, whole]) => +document.querySelector(chart + ' .marks').getAttribute('viewBox').split(' ')[2] < whole", arg=[CHART, whole]
    )
    page.keyboard.press("0") if way != "buttons" else tools.get_by_role("button", name="Show all").click()
    assert float(chart.locator(".marks").get_attribute("viewBox").split()[2]) == whole


def test_the_wheel_scrolls_the_page_unless_a_chart_was_chosen(page):
    chart = page.locator(CHART)
    chart.scroll_into_view_if_needed()
    whole, before = chart.locator(".marks").get_attribute("viewBox"), page.evaluate("scrollY")
    chart.hover()
    page.mouse.wheel(0, -200)
    page.wait_for_function("before => scrollY < before", arg=before)
    assert chart.locator(".marks").get_attribute("viewBox") == whole


def test_arrow_keys_read_the_logged_values_whatever_the_scale(page, store):
    rows = [
        row
        for part in ("00000500", "00001000")
        for row in store.read_bytes(f"runs/pretrained000000/metrics/{part}.jsonl").decode().splitlines()
    ]
    first = json.loads(rows[1])["loss"]
    chart = page.locator(CHART)
    said = page.locator("figure", has=chart).locator(".said")
    for _ in range(2):
        chart.focus()
        chart.press("ArrowRight")
        chart.press("ArrowRight")
        step, value = said.inner_text().split(": ")
        assert step == "step 50"
        assert float(value) == pytest.approx(first, rel=2e-3)
        chart.press("Escape")
        page.locator("figure", has=chart).get_by_role("button", name="Logarithmic").click()


@pytest.mark.parametrize("look", ["light", "phone"])
def test_the_pointer_reads_values_and_moves_nothing(visit, look):
    page = visit(**LOOKS[look]).page
    figures = page.locator("figure", has=page.locator('.chart[data-x][aria-label^="rgb loss as"]'))
    for figure in (figures.first, figures.last):
        before = figure.bounding_box()["height"]
        figure.locator(".chart").hover()
        step, *values = figure.locator(".said").inner_text().splitlines()
        assert (step.split()[0], len(values)) == ("step", 2)
        assert figure.bounding_box()["height"] == before
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_object_turns_by_mouse_and_by_keyboard(visit):
    opened = visit(**LOOKS["light"])
    page, figure = opened.page, opened.page.locator("figure.model").first
    assert page.evaluate("typeof g3drViewer") == "undefined", "the viewer is read when it is asked for"
    figure.get_by_role("button", name="in 3D").click()
    canvas = figure.locator("canvas")
    canvas.wait_for()
    front = _turned(canvas)
    assert front.std() > 10
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.44 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    dragged = _turned(canvas)
    assert np.abs(dragged - front).mean() > 2
    canvas.press("ArrowRight")
    assert np.abs(_turned(canvas) - dragged).mean() > 0.5
    canvas.press("0")
    assert np.abs(_turned(canvas) - front).max() <= 2
    assert opened.said == []


def test_without_webgl_a_sentence_says_so(visit):
    page = visit(script="HTMLCanvasElement.prototype.getContext = () => null", **LOOKS["light"]).page
    figure = page.locator("figure.model").first
    figure.get_by_role("button", name="in 3D").click()
    figure.get_by_text("This browser cannot draw it").wait_for()
    assert figure.locator("img").count() == 2, "the pictures stay"


def test_an_object_can_be_saved(visit, store):
    page = visit(**LOOKS["light"]).page
    with page.expect_download() as download:
        page.locator("figure.model").first.get_by_role("button", name="Save as GLB").click()
    assert download.value.suggested_filename == "fish_01_0000.glb"
    assert download.value.path().read_bytes() == store.read_bytes("runs/pretrained000000/evaluations/epretrained000000/meshes/0.glb")


def test_turning_pictures_pause_and_turn_by_hand(page):
    film = page.locator(".films img").first
    assert film.evaluate("film => getComputedStyle(film).animationPlayState") == "running"
    page.locator("#play").click()
    assert film.evaluate("film => getComputedStyle(film).animationPlayState") == "paused"
    page.locator("#turn").fill("50")
    assert film.evaluate("film => new DOMMatrix(getComputedStyle(film).transform).m41 / film.offsetWidth") == pytest.approx(-0.5, abs=0.001)


def test_nothing_moves_for_those_who_want_stillness(visit):
    page = visit(reduced_motion="reduce", **LOOKS["light"]).page
    assert page.locator(".films img").first.evaluate("film => getComputedStyle(film).animationPlayState") == "paused"
    assert page.locator("#play").inner_text() == "Play"


def test_the_first_tab_leads_past_the_contents(page):
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the results"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator("main :focus").count() == 1


def test_everything_is_there_without_scripts(visit):
    page = visit(java_script_enabled=False, **LOOKS["light"]).page
    assert page.locator(".copy-bar").first.is_hidden()
    assert page.locator(".poster").first.is_disabled()
    assert page.get_by_text("Needs JavaScript and WebGL.").first.is_visible()
    assert page.locator(f"{CHART} polyline").first.is_visible()


def test_paper_has_no_controls_and_nothing_wider_than_itself(page):
    page.set_viewport_size({"width": 760, "height": 1000})
    page.emulate_media(media="print")
    for control in (".copy-bar", ".chart-bar", ".controls", "nav", ".skip"):
        assert page.locator(control).first.is_hidden(), control
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
