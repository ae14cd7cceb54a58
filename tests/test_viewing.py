"""The server of `g3dr view`: what each address shows, over real HTTP, and what it refuses."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cli_fixture import g3dr, write_small
from ledger_fixture import JsonStore, write_ledger

from g3dr.errors import ConfigError
from orchestrator.ledger import Ledger
from orchestrator.store import open_store
from orchestrator.viewing import serve
from orchestrator.viewing.server import Server
from orchestrator.viewing.site import Site

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewed")
    store = JsonStore(folder)
    write_ledger(store)
    write_small(folder)
    store.write_bytes("reports/study/index.html", b"<!doctype html><title>report</title>")
    store.write_bytes("reports/study/summary.json", b"{}")
    store.write_bytes("reports/study+small/index.html", b"<!doctype html><title>both</title>")
    store.write_bytes("reports/study/.hidden.html", b"hidden")
    (folder.parent / "secret.html").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with Server(Site(open_store(str(folder))), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server, path, method="GET", **headers):
    """Returns status, headers and body, of errors too."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def read(server, path):
    with urllib.request.urlopen(server.url.rstrip("/") + path, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.parametrize("path", ["/", "/experiments/study", "/static/view.js", "/static/view.css", "/reports/study/index.html"])
def test_pages_come_with_a_policy_that_lets_nothing_out(server, path):
    status, headers, body = get(server, path)
    assert status == 200
    assert body
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_the_page_holds_no_script_of_its_own(server):
    page = get(server, "/")[2].decode()
    assert "onclick" not in page
    assert page.count("<script") == 1
    assert "'unsafe-inline'" not in get(server, "/")[1]["Content-Security-Policy"]


def test_the_list_tells_state_counts_best_and_report(server):
    found = read(server, "/api/experiments")
    study = next(one for one in found["experiments"] if one["experiment"] == "study")
    small = next(one for one in found["experiments"] if one["experiment"] == "small")
    assert study["state"] == "failed"
    assert study["counts"] == {"finished": 18, "failed": 1}
    assert study["report"] == "/reports/study/index.html"
    assert study["best"]["metric"] == "novel_depth_rmse"
    assert small["report"] is None
    assert small["counts"]["failed"] == 1
    assert [one["name"] for one in found["comparisons"]] == ["study+small"]


def test_an_experiment_lists_its_runs_with_what_needs_attention_first(server):
    found = read(server, "/api/experiments/study")
    assert [stage["name"] for stage in found["stages"]] == ["pretrain", "loss_sweep", "species", "unseen"]
    assert found["runs"][0]["state"] == "failed"
    assert found["runs"][0]["error"].startswith("the loss became infinite")
    assert len(found["runs"]) == 19
    assert found["more_runs"] == 0


def test_curves_are_those_of_the_ledger(server, folder):
    found = read(server, "/api/experiments/study/curves?stage=pretrain")
    rows = Ledger(open_store(str(folder))).metrics("pretrained000000")
    assert found["metrics"]["loss"]["pretrained000000"] == [[row["step"], row["loss"]] for row in rows]
    assert next(iter(found["metrics"])) == "loss"
    assert "seconds_per_step" not in found["metrics"]


def test_a_sweep_has_one_curve_a_run(server):
    found = read(server, "/api/experiments/study/curves?stage=loss_sweep")
    assert len(found["runs"]) == len(found["metrics"]["loss"]) == 8
    assert found["more"] == 0
    assert [run["style"] for run in found["runs"]] == list(range(8))  # a colour stays with its run, whatever its state


def test_what_was_measured_along_the_way_is_a_curve_too(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    for step, kid in ((200, 0.5), (400, 0.25)):
        path = f"runs/pretrained000000/evaluations/cont/steps/{step:08d}.json"
        store.write_json(path, {"step": step, "images": 8, "views": 1, "metrics": {"kid": kid, "fd": None}, "seconds": 1.0})
    found = json.loads(Site(open_store(str(tmp_path))).answer("/api/experiments/study/curves?stage=pretrain").body)
    assert found["metrics"]["kid"] == {"pretrained000000": [[200, 0.5], [400, 0.25]]}


def test_pictures_are_those_of_the_report(server):
    sheets = read(server, "/api/experiments/study")["sheets"]
    assert 1 <= len(sheets) <= 6
    found = read(server, f"/api/pictures/{sheets[0]['run']}/{sheets[0]['evaluation']}")
    assert found["labels"][:2] == ["Input", "Reconstruction"]
    assert all(len(row["pictures"]) == len(found["labels"]) for row in found["rows"])
    assert found["rows"][0]["pictures"][0]["source"].startswith("data:image/png;base64,")


def test_reports_are_served_from_the_store(server):
    status, headers, body = get(server, "/reports/study/index.html")
    assert (status, body) == (200, b"<!doctype html><title>report</title>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert get(server, "/reports/study/")[2] == body
    assert get(server, "/reports/study/summary.json")[1]["Content-Type"] == "application/json"
    assert get(server, "/reports/study%2Bsmall/index.html")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/reports/../../secret.html",
        "/reports/%2e%2e/%2e%2e/secret.html",
        "/reports/study/..%2f..%2f..%2fsecret.html",
        "/reports/study/%2e%2e/index.html",
        "/reports/study/..%5cindex.html",
        "/reports/study/.hidden.html",
        "/reports/study/index.html%00.png",
        "//secret.html",
        "/static/../site.py",
        "/static/index.html",
        "/experiments/nowhere",
        "/api/experiments/nowhere",
        "/api/experiments/nowhere/curves",
        "/api/pictures/%2e%2e/secret",
        "/api/pictures/pretrained000000/none",
        "/experiments",
        "/experiments/study/experiment.json",
        "/runs/pretrained000000/spec.json",
        "/nothing",
    ],
)
def test_nothing_else_can_be_read(server, path):
    status, _, body = get(server, path)
    assert status == 404
    assert b"secret" not in body
    assert "error" in json.loads(body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_nothing_can_be_changed(server, folder, method):
    before = sorted(folder.rglob("*"))
    status, headers, body = get(server, "/api/experiments/study", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"
    assert "only shows" in json.loads(body)["error"]
    assert sorted(folder.rglob("*")) == before


def test_head_is_get_without_a_body(server):
    status, headers, body = get(server, "/static/view.js", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(get(server, "/static/view.js")[2])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8700", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", ""])
def test_other_names_of_this_machine_are_refused(server, host):
    status, _, body = get(server, "/api/experiments", Host=host)
    assert status == 403
    assert b"study" not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9999", "LOCALHOST", "[::1]:80"])
def test_this_machine_and_tunnels_to_it_are_answered(server, host):
    assert get(server, "/api/experiments", Host=host)[0] == 200


def test_only_this_machine_can_connect(server):
    assert server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_a_sentence_and_the_usual_one_has_a_substitute(tmp_path, monkeypatch):
    store = write_small(tmp_path)
    with serve(store, None) as first:
        monkeypatch.setattr("orchestrator.viewing.server.DEFAULT_PORT", first.server_port)
        with serve(store) as second:
            assert second.server_port != first.server_port
        with pytest.raises(ConfigError, match="taken by another program"):
            serve(store, first.server_port)


def test_the_command_prints_its_address_and_ends_quietly(tmp_path, monkeypatch):
    write_small(tmp_path)
    monkeypatch.setattr(Server, "serve_forever", _interrupted)
    words = g3dr("view", "--root", tmp_path)
    assert "http://127.0.0.1:" in words
    assert words.endswith("ended")
    assert Path(tmp_path / "experiments").is_dir()


def _interrupted(_):
    raise KeyboardInterrupt


@pytest.mark.data
def test_an_object_store_is_shown_like_a_folder(s3_uri, tmp_path):
    local, store = write_small(tmp_path), open_store(s3_uri)
    for path in local.list():
        store.write_bytes(path, local.read_bytes(path))
    store.write_bytes("reports/small/index.html", b"<!doctype html>")
    site = Site(store)
    (found,) = json.loads(site.answer("/api/experiments").body)["experiments"]
    assert (found["experiment"], found["report"]) == ("small", "/reports/small/index.html")
    assert {run["label"] for run in json.loads(site.answer("/api/experiments/small").body)["runs"]} == {"rate=0", "rate=1", "rate=2"}
    assert site.answer("/reports/small/index.html").body == b"<!doctype html>"
    assert site.answer("/reports/small/none.html").status == 404
