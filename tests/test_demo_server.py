"""The demo's server: what it offers, and what it refuses."""

import json

import pytest
from demo_fixture import RUN, ask, demo, photo, refused, send, write_models

from g3dr.errors import ConfigError
from orchestrator.demo.server import PHOTOGRAPH_TYPE, open_demo

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with demo(write_models(tmp_path_factory.mktemp("models"))) as server:
        yield server


def test_the_page_may_load_nothing_from_elsewhere(server):
    for path in ("/", "/static/demo.js", "/static/demo.css", "/static/viewer.js", "/api/offer"):
        status, headers, body = ask(server, path)
        assert status == 200, path
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "http" not in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "viewer" in path or b"//" not in body.replace(b"// ", b""), "no address of another machine"


def test_the_offer_tells_models_estimator_and_examples(server):
    offer = json.loads(ask(server, "/api/offer")[2])
    assert [model["name"] for model in offer["models"]] == ["quickstart/pretrain", "another/pretrain", f"runs/{RUN}"]
    assert offer["estimator"] == "a stand-in"
    assert ask(server, f"/examples/{offer['examples'][0]}.png")[1]["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/site.py", "/static/..%2fsite.py", "/examples/no.png", "/api/photographs", "/api/photographs/x"]
)
def test_nothing_else_can_be_read(server, path):
    assert ask(server, path)[0] == 404


def test_photographs_of_other_web_sites_are_refused(server):
    path = "/api/photographs?model=quickstart/pretrain"
    for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
        assert ask(server, path, "POST", photo(), **{"Content-Type": kind})[0] == 415
    assert ask(server, path, "OPTIONS")[0] == 405
    assert ask(server, path, "POST", photo(), Host="evil.example", **{"Content-Type": PHOTOGRAPH_TYPE})[0] == 403
    assert ask(server, path, "DELETE", Host="evil.example")[0] == 403


def test_files_that_are_no_photographs_are_refused_before_they_are_read(server):
    headers = {"Content-Type": PHOTOGRAPH_TYPE, "Content-Length": str(200 * 2**20)}
    status, sentence = refused(ask(server, "/api/photographs?model=quickstart/pretrain", "POST", None, **headers))
    assert (status, sentence) == (413, "this file has 200 MB; allowed: photographs of at most 48 MB")
    assert refused(send(server, b""))[0] == 400
    assert refused(send(server, photo(), model="../../secret"))[0] == 400
    assert ask(server, "/api/photographs", "POST", None, **{"Content-Type": PHOTOGRAPH_TYPE, "Content-Length": "-1"})[0] == 411


def test_a_taken_port_and_a_foreign_host_are_sentences(server):
    with pytest.raises(ConfigError, match="taken by another program"):
        open_demo(server.site, server.server_port)
    with pytest.raises(ConfigError, match="--host"):
        open_demo(server.site, 0, "192.0.2.1")


def test_only_this_machine_can_connect_unless_asked_otherwise(server):
    assert server.server_address[0] == "127.0.0.1"
    with open_demo(server.site, 0, "0.0.0.0") as reachable:
        assert reachable.hosts.fullmatch("laptop.local:7860")
