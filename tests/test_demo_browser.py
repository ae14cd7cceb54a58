"""The demo in a real browser without a network: a photo is dropped, the object turns, its file is kept and is a mesh."""

import base64
import threading

import numpy as np
import pytest
import trimesh
from browser_visit import IN_CHROMIUM, LOOKS, Visit, launched, pixels
from demo_fixture import WITH_CUTTER, Nearer, demo, photo, write_models

from orchestrator.demo.helpers import Helpers, Named

pytestmark = IN_CHROMIUM

OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"

# As a person drops a file: the browser gives it to the page in a DataTransfer.
DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, {type}));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with demo(write_models(tmp_path_factory.mktemp("models"))) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with launched(OFFLINE) as browser:
        yield browser


@pytest.fixture
def visit(browser, server):
    visits = []

    def open_page(**options):
        visits.append(Visit(browser, server.url, offline=False, **options))
        visits[-1].page.wait_for_selector("html[data-ready]")
        return visits[-1]

    yield open_page
    for opened in visits:
        opened.context.close()


def drop(page, name, data, kind="image/png"):
    page.evaluate(DROP, [name, kind, base64.b64encode(data).decode()])


def shown(page):
    """Waits for the object; returns its canvas."""
    page.wait_for_selector("#result:not([hidden]) canvas")
    page.wait_for_selector("#name:focus")
    return page.locator("#object canvas")


def test_a_photo_is_dropped_turned_and_kept(visit, server, tmp_path):
    opened = visit(**LOOKS["light"])
    page = opened.page
    drop(page, "my owl.png", photo())
    canvas = shown(page)
    aside = pixels(canvas, border=8)
    canvas.press("0")
    front = pixels(canvas, border=8)
    assert np.abs(aside - front).mean() > 1, "at first it is turned a little"
    assert front.std() > 5, "something is drawn"
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert np.abs(pixels(canvas, border=8) - front).mean() > 2, "the pointer turns it"
    canvas.press("0")
    assert np.abs(pixels(canvas, border=8) - front).mean() < 1
    canvas.press("ArrowLeft")
    assert np.abs(pixels(canvas, border=8) - front).mean() > 1, "so do keys"
    for ending in ("glb", "ply"):
        with page.expect_download() as download:
            page.locator(f"#files a[download$='.{ending}']").click()
        assert download.value.suggested_filename == f"my_owl.{ending}"
        download.value.save_as(tmp_path / f"owl.{ending}")
        mesh = trimesh.load(tmp_path / f"owl.{ending}", force="mesh")
        assert mesh.is_watertight
        assert np.abs(mesh.bounds).max() <= 1
    assert "a stand-in" in page.locator("#depth-caption").inner_text()
    assert page.evaluate(
        "[...document.images].filter(image => image.offsetParent).every(image => image.complete && image.naturalWidth > 0)"
    )
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith((server.url, "blob:", "data:"))] == []


def test_an_example_is_chosen_by_keyboard_and_another_replaces_it(visit):
    opened = visit(**LOOKS["dark"])
    page = opened.page
    buttons = page.locator("#examples button")
    buttons.nth(0).press("Enter")
    shown(page)
    first = page.locator("#name").inner_text()
    buttons.nth(1).press("Enter")
    page.locator("#name").filter(has_not_text=first).wait_for()
    canvas = shown(page)
    assert canvas.count() == 1
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    assert np.median(pixels(page.locator("h1")).max(axis=2)) < 60, "dark"
    assert opened.said == []


def test_what_is_no_photo_is_said_and_the_next_one_works(visit):
    page = visit(**LOOKS["light"]).page
    drop(page, "notes.txt", b"hello", "text/plain")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "picture" in page.locator("#trouble").inner_text()
    drop(page, "owl.png", photo())
    shown(page)
    assert page.locator("#trouble").is_hidden()


def test_the_page_fits_a_phone_and_cuts_the_object_out(browser, tmp_path):
    with demo(write_models(tmp_path), WITH_CUTTER) as server:
        opened = Visit(browser, server.url, offline=False, **LOOKS["phone"])
        page = opened.page
        page.wait_for_selector("html[data-ready]")
        page.get_by_label("The object alone").check()
        page.locator("#file").set_input_files({"name": "owl.png", "mimeType": "image/png", "buffer": photo()})
        canvas = pixels(shown(page), border=8)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert opened.said == []
        corners = canvas[[20, 20, -20, -20], [20, -20, 20, -20]]
        assert np.abs(corners - corners[0]).max() <= 2, "nothing but the object is drawn"
        opened.context.close()


def test_who_waits_sees_it_and_may_stop(browser, tmp_path):
    go = threading.Event()

    class Slow(Nearer):
        def estimate(self, pictures):
            assert go.wait(60)
            return super().estimate(pictures)

    with demo(write_models(tmp_path), Helpers(Named("a slow one", Slow))) as server:
        first, second = (Visit(browser, server.url, offline=False, **LOOKS["light"]) for _ in range(2))
        for page in (first.page, second.page):
            page.wait_for_selector("html[data-ready]")
            drop(page, "owl.png", photo())
        first.page.get_by_text("Estimating its depth").wait_for()
        second.page.get_by_text("Waiting: one photo is before yours").wait_for()
        second.page.get_by_role("button", name="Stop").press("Enter")
        second.page.locator("#standing").wait_for(state="hidden")
        go.set()
        shown(first.page)
        assert second.page.locator("#result").is_hidden()
        for opened in (first, second):
            opened.context.close()


def test_a_demo_that_was_ended_is_said(browser, tmp_path):
    with demo(write_models(tmp_path)) as server:
        opened = Visit(browser, server.url, offline=False, **LOOKS["light"])
        opened.page.wait_for_selector("html[data-ready]")
    drop(opened.page, "owl.png", photo())
    opened.page.wait_for_selector("#trouble:not([hidden])")
    assert "g3dr demo" in opened.page.locator("#trouble").inner_text()
    opened.context.close()
