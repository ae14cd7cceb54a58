"""The report page in a real browser: no errors, sorting and turning objects work."""

import re
import shutil
import subprocess

import pytest
from ledger_fixture import JsonStore, write_ledger

from orchestrator.report import build_report

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="headless Chromium is not installed")]

# Runs after the page's own script and leaves what it found in attributes of the root element.
PROBE = """<script>
const found = document.documentElement.dataset, table = document.querySelectorAll(".sortable")[1];
const column = () => [...table.tBodies[0].rows].map(row => row.cells[3].dataset.value).join(" ");
const heading = table.tHead.rows[0].cells[3];
heading.firstElementChild.click(); found.ascending = column(); found.direction = heading.getAttribute("aria-sort");
heading.firstElementChild.click(); found.descending = column();
const dashes = [...table.tBodies[0].rows].map(row => row.cells[5].dataset.value);
table.tHead.rows[0].cells[5].firstElementChild.click();
found.last = table.tBodies[0].rows[table.tBodies[0].rows.length - 1].cells[5].dataset.value === "" && dashes.includes("");
const play = document.getElementById("play"), turn = document.getElementById("turn"), film = document.querySelector(".films img");
play.click(); found.paused = getComputedStyle(film).animationPlayState; found.button = play.textContent;
turn.value = 50; turn.dispatchEvent(new Event("input"));
found.turned = new DOMMatrix(getComputedStyle(film).transform).m41 / film.offsetWidth;
found.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
found.focusable = [...document.querySelectorAll(".sortable thead th")].every(cell => cell.firstElementChild.tagName === "BUTTON");
</script></body>"""


def _visit(page, profile, width=1200):
    quiet = [f"--disable-{name}" for name in ("gpu", "background-networking", "component-update", "sync")]
    options = [*quiet, "--headless", "--no-sandbox", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={profile}"]
    command = [CHROMIUM, *options, f"--window-size={width},1600", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    store = JsonStore(tmp_path_factory.mktemp("browser"))
    write_ledger(store)
    index = tmp_path_factory.mktemp("page") / "index.html"
    html = store.read_bytes(build_report(store, "study").index).decode()
    index.write_text(html.replace("</body>", PROBE))
    return index


@pytest.fixture(scope="module")
def visit(page, tmp_path_factory):
    return _visit(page, tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def found(visit):
    root = re.search(r"<html[^>]*>", visit.stdout).group()
    return dict(re.findall(r'data-(\w+)="([^"]*)"', root))


def test_the_console_stays_silent(visit):
    assert [line for line in visit.stderr.splitlines() if "CONSOLE" in line] == []


def test_a_click_sorts_and_a_second_one_turns_the_order_round(found):
    values = [float(value) for value in found["ascending"].split()]
    assert len(set(values)) > 3
    assert values == sorted(values)
    assert [float(value) for value in found["descending"].split()] == sorted(values, reverse=True)
    assert found["direction"] == "ascending"


def test_unknown_values_stay_last(found):
    assert found["last"] == "true"


def test_headings_can_be_reached_by_keyboard(found):
    assert found["focusable"] == "true"


def test_turning_objects_pause_and_turn_by_hand(found):
    assert (found["paused"], found["button"]) == ("paused", "Play")
    assert float(found["turned"]) == pytest.approx(-0.5, abs=0.001)


def test_only_tables_scroll_sideways(found):
    assert found["wide"] == "false"


def test_the_page_fits_a_phone(page, tmp_path):
    narrow = tmp_path / "narrow.html"
    # Chromium has no window narrower than 500 pixels, so the body is narrowed.
    narrow.write_text(page.read_text().replace("<body>", '<body style="width:390px">'))
    visit = _visit(narrow, tmp_path / "profile", width=500)
    root = re.search(r"<html[^>]*>", visit.stdout).group()
    assert 'data-wide="false"' in root
