"""The pages of `g3dr view` in a real browser: no errors, nothing flickers, nothing is wider than a phone."""

import re
import subprocess
import threading

import pytest
from browser_visit import CHROMIUM, IN_CHROMIUM
from ledger_fixture import JsonStore, write_ledger

from orchestrator.report import build_report
from orchestrator.store import open_store
from orchestrator.viewing import site as pages
from orchestrator.viewing.server import Server

pytestmark = IN_CHROMIUM

# Runs after the page's own script: asks a second time, and counts what that changes although nothing is new.
PROBE = b"""
(async () => {
  const root = document.documentElement.dataset, later = ms => new Promise(done => setTimeout(done, ms));
  const loading = () => !root.asked || [...document.querySelectorAll("#sheets .note")].some(node => node.textContent === "loading");
  for (let turn = 0; turn < 400 && loading(); turn++) await later(20);
  const nodes = [...document.querySelectorAll("#cards > *, #runs > *, #panels > *, #stages > *, #sheets > *, #panels polyline")];
  let changes = 0;
  const observer = new MutationObserver(list => { changes += list.length; });
  observer.observe(document.querySelector("main"), { subtree: true, childList: true, attributes: true, characterData: true });
  await refresh();
  changes += observer.takeRecords().length;
  root.nodes = nodes.length;
  root.kept = nodes.every(node => node.isConnected);
  root.changes = changes;
  root.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  const second = document.querySelectorAll("#tabs button")[1];
  if (second) {
    second.click();
    for (let turn = 0; turn < 400 && second.getAttribute("aria-pressed") !== "true"; turn++) await later(20);
    root.curves = document.querySelectorAll("#panels figure:first-child polyline").length;
  }
  root.probed = "yes";
})();
"""
PHONE = b"body { width: 390px; }"


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Returns what visits an address of a server whose pages carry the probe."""
    store = JsonStore(tmp_path_factory.mktemp("viewed"))
    write_ledger(store)
    build_report(store, "study")
    more, asset = {"view.js": PROBE}, pages._asset
    patch = pytest.MonkeyPatch()
    patch.setattr(pages, "_asset", lambda name: asset(name) + more.get(name, b""))
    with Server(pages.Site(open_store(store.uri)), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def visit(path, width=1200, style=b""):
            more["view.css"] = style
            pages._style.cache_clear()
            return _visit(server.url.rstrip("/") + path, tmp_path_factory.mktemp("profile"), width)

        yield visit
        server.shutdown()
        thread.join()
    patch.undo()


def _visit(address, profile, width):
    quiet = [f"--disable-{name}" for name in ("gpu", "background-networking", "component-update", "sync")]
    options = [*quiet, "--headless", "--no-sandbox", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={profile}"]
    command = [CHROMIUM, *options, f"--window-size={width},1600", "--virtual-time-budget=9000", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    root = re.search(r"<html[^>]*>", done.stdout).group()
    return done, dict(re.findall(r'data-(\w+)="([^"]*)"', root))


@pytest.fixture(scope="module")
def visits(serve):
    return {path: serve(path) for path in ("/", "/experiments/study")}


@pytest.mark.parametrize("path", ["/", "/experiments/study"])
def test_the_console_stays_silent_and_nothing_flickers(visits, path):
    done, found = visits[path]
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert found["probed"] == "yes"
    assert int(found["nodes"]) > 0
    assert (found["kept"], found["changes"]) == ("true", "0")
    assert found["wide"] == "false"


def test_the_list_leads_to_the_experiment(visits):
    page = visits["/"][0].stdout
    assert 'href="/experiments/study"' in page
    assert "18 finished, 1 failed" in page


def test_an_experiment_shows_errors_curves_and_pictures(visits):
    done, found = visits["/experiments/study"]
    assert "the loss became infinite at step 51" in done.stdout
    assert done.stdout.count("data:image/png;base64,") >= 8
    assert int(found["curves"]) == 8  # of the sweep, after a click on its name


def test_pages_fit_a_phone(serve):
    for path in ("/", "/experiments/study"):
        _, found = serve(path, width=500, style=PHONE)
        assert found["wide"] == "false", path


def test_a_report_works_under_the_policy_of_the_server(serve):
    done, _ = serve("/reports/study/index.html")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert 'class="sortable"' in done.stdout
