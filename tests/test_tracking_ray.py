"""What the runs of the tiny study leave behind for people: the numbers of the ledger, in little space."""

import re

import pytest
from test_tracking_numbers import read_events

pytestmark = pytest.mark.ray
BYTES_A_RUN = 8 * 2**10  # measured: below 3 KB of log and event files for a run of 8 steps and its evaluation
RAY_LOG_BYTES = 60 * 2**20  # measured: 1 MB after 200 runs on a cluster of one's own; other tests of the session share this one


def files(ledger, kind):
    names = [name for name in ledger.store.list("runs") if f"/{kind}/" in name]
    return {name: ledger.store.read_bytes(name) for name in names}


def test_each_run_has_a_log_that_says_how_it_ended(tiny_ledger):
    runs = {name.split("/")[1] for name in tiny_ledger.store.list("runs") if name.endswith("/status.json")}
    logs = files(tiny_ledger, "logs")
    assert {name.split("/")[1] for name in logs} == runs
    for name, data in logs.items():
        assert re.search(rb"finished at step \d+\n$", data), name
        assert b"Traceback" not in data


def test_tensorboard_has_the_numbers_of_the_ledger(tiny_ledger):
    seen = {}
    for name, data in files(tiny_ledger, "tensorboard").items():
        for event in read_events(data):
            for value in event.summary.value:
                seen.setdefault(name.split("/")[1], []).append((event.step, value.tag, value.simple_value))
    for run, points in seen.items():
        rows = {int(row["step"]): row["loss"] for row in tiny_ledger.metrics(run)}
        losses = {step: value for step, tag, value in points if tag == "loss"}
        assert losses == pytest.approx(rows, rel=1e-6)
        assert len({(step, tag) for step, tag, _ in points}) == len(points)
        assert any(tag.startswith("evaluation/") for _, tag, _ in points)


def test_logs_and_event_files_are_small(tiny_ledger):
    found = [*files(tiny_ledger, "logs").values(), *files(tiny_ledger, "tensorboard").values()]
    runs = len({name.split("/")[1] for name in tiny_ledger.store.list("runs")})
    assert sum(map(len, found)) < runs * BYTES_A_RUN


def test_rays_own_logs_are_bounded(tiny_ledger, ray_environment):
    logs = [path for path in (ray_environment / "r").glob("session_2*/logs/**/*") if path.is_file()]
    assert logs
    assert sum(path.stat().st_size for path in logs) < RAY_LOG_BYTES
