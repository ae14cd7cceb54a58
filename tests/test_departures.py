"""A machine that will be taken away: the notice of the cloud, what Ray is told, and the checkpoint that a run writes in time."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from clocks import Clock

from orchestrator.cluster import departures, spot_notice
from orchestrator.cluster.departures import CHECKPOINT_SECONDS, Departures


@pytest.fixture
def in_a_cluster(monkeypatch):
    monkeypatch.setattr(departures, "_has_ray", lambda: True)


def looked(leaving, own, clock):
    """A look at a cluster that is only pretended, after it has happened at least twice."""
    looks = threading.Semaphore(0)

    def ask():
        looks.release()
        return frozenset(leaving)

    watch = Departures(ask, lambda: frozenset(own), clock, look_seconds=0.001)
    with watch:
        for _ in range(2):
            assert looks.acquire(timeout=5)
    return watch


def test_a_leaving_machine_urges_at_once_and_then_now_and_again(in_a_cluster) -> None:
    clock = Clock()
    watch = looked({"a", "z"}, {"a", "b"}, clock)
    assert watch.urge(3)
    assert not watch.urge(4)
    clock.now = CHECKPOINT_SECONDS
    assert watch.urge(5)


def test_machines_of_others_do_not_matter(in_a_cluster) -> None:
    assert not looked({"z"}, {"a", "b"}, Clock()).urge(3)


def test_without_ray_nobody_looks() -> None:
    def refuse():
        raise AssertionError("asked")

    with Departures(refuse, refuse, look_seconds=0.001) as watch:
        assert watch._thread is None
        assert not watch.urge(1)


def test_a_head_node_that_does_not_answer_ends_nothing(in_a_cluster) -> None:
    asked = threading.Semaphore(0)

    def fail():
        asked.release()
        raise ConnectionError("away")

    with Departures(fail, lambda: frozenset({"a"}), look_seconds=0.001) as watch:
        assert asked.acquire(timeout=5)
        assert asked.acquire(timeout=5)
        assert not watch.urge(1)


@pytest.fixture
def metadata(monkeypatch):
    """The metadata of an instance, as AWS serves them with tokens (IMDSv2); not AWS itself."""
    notice = {}

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self):
            self._say(200, "a-token") if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else self._say(400, "")

        def do_GET(self):
            if self.headers["X-aws-ec2-metadata-token"] != "a-token":
                self._say(401, "")
            elif self.path == "/latest/meta-data/spot/instance-action" and notice:
                self._say(200, json.dumps(notice))
            else:
                self._say(404, "")

        def _say(self, code, text):
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(spot_notice.ENDPOINT_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
    yield notice
    server.shutdown()
    server.server_close()


def test_a_notice_in_pretended_instance_metadata_is_read(metadata) -> None:
    assert spot_notice.seconds_left() is None
    when = datetime.now(UTC) + timedelta(seconds=120)
    metadata.update(action="terminate", time=when.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert spot_notice.seconds_left() == pytest.approx(119.5, abs=2)


def test_metadata_that_make_no_sense_are_no_notice(metadata, monkeypatch) -> None:
    metadata.update(action="terminate", time="soon")
    assert spot_notice.seconds_left() is None
    monkeypatch.setenv(spot_notice.ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    assert spot_notice.seconds_left() is None
