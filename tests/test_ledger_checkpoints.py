"""Checkpoints and metrics that can be trusted: what is damaged is skipped for what was before it, loudly, and nothing else breaks."""

import hashlib
import json
import logging

import pytest
import torch

from g3dr.errors import CheckpointError
from g3dr.training.checkpoint import Checkpoint, read_checkpoint, without_optimizer, write_checkpoint
from g3dr.training.layout import INDEX, MODEL, OPTIMIZER
from orchestrator.ledger import Ledger, RunStatus, damage
from orchestrator.store import open_store

pytestmark = pytest.mark.unit

GARBAGE = [
    b"",
    b"\x00" * 40,
    b"no json",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"{}",
    b"[" * 100_000,
    b'{"format": 1, "step": 20}',
    b'{"format": 1, "step": 20, "sha256": {}}',
    b'{"format": 1, "step": 20, "sha256": []}',
    b'{"format": 1, "step": 20, "sha256": {"model.safetensors": 5}}',
    b'{"format": 1, "step": -1, "sha256": {"model.safetensors": ""}}',
    b'{"format": 1, "step": Infinity, "sha256": {"model.safetensors": ""}}',
    b'{"format": "one", "step": 20, "sha256": {"model.safetensors": ""}}',
    b'{"format": 1, "step": 20, "sha256": {"model.safetensors": ""}, "bytes": 7}',
    b'{"format": 1, "step": 20, "sha256": {"model.safetensors": ""}, "config": {"nothing": 1}}',
    b'{"format": 1, "step": 20, "sha256": {"../../spec.json": "0", "model.safetensors": "0"}}',
]


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(damage, "_TOLD", set())
    return Ledger(open_store(str(tmp_path / "root")))


def checkpoint(step, run=0):
    chance = torch.Generator().manual_seed(1000 * run + step)
    return Checkpoint(step, {"weight": torch.randn(64, generator=chance)}, {"weight.exp_avg": torch.randn(64, generator=chance)})


def save(ledger, *steps, run="run"):
    for step in steps:
        ledger.write_metrics(run, step, [{"step": step - 5, "loss": 1.0}, {"step": step, "loss": 0.5}])
        ledger.save_checkpoint(run, checkpoint(step))


def change(ledger, name, edit, step=20):
    path = f"{ledger.checkpoint_path('run', step)}/{name}"
    ledger.store.write_bytes(path, edit(ledger.store.read_bytes(path)))


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def flipped(data):
    middle = len(data) - 20
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


EDITS = {"truncated": lambda data: data[:-9], "flipped": flipped, "empty": lambda _: b"", "longer": lambda data: data + b"\x00"}


@pytest.mark.parametrize("name", [INDEX, MODEL, OPTIMIZER])
@pytest.mark.parametrize("kind", EDITS)
def test_a_damaged_file_costs_no_more_than_the_steps_since_the_checkpoint_before(ledger, caplog, name, kind):
    save(ledger, 10, 20)
    change(ledger, name, EDITS[kind])
    assert ledger.latest_checkpoint("run").step == ledger.latest_checkpoint("run").step == 10
    assert len(warnings(caplog)) == 1
    assert "checkpoints/00000020" in warnings(caplog)[0]
    (record,) = ledger.damage("run")
    assert record.path == "runs/run/checkpoints/00000020"
    assert record.problem in warnings(caplog)[0]
    assert ledger.damage("another") == []


@pytest.mark.parametrize("name", [INDEX, MODEL, OPTIMIZER])
def test_a_missing_file_is_named(ledger, caplog, name):
    save(ledger, 10, 20)
    ledger.store.delete(f"{ledger.checkpoint_path('run', 20)}/{name}")
    assert ledger.latest_checkpoint("run").step == 10
    assert len(warnings(caplog)) == 1
    assert name in warnings(caplog)[0]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_an_index_that_is_garbage_raises_nothing_but_a_checkpoint_error(ledger, content):
    save(ledger, 10, 20)
    change(ledger, INDEX, lambda _: content)
    assert ledger.latest_checkpoint("run").step == 10
    with pytest.raises(CheckpointError, match="00000020"):
        ledger.read_checkpoint(ledger.checkpoint_path("run", 20))


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x10" + b"\x00" * 7 + b"{" * 16, (2**62).to_bytes(8, "little") + b"{}"])
def test_a_model_that_matches_its_checksum_and_is_no_model_is_refused(ledger, content):
    """As a writer with a fault of its own would leave it."""
    index = {"format": 1, "step": 20, "sha256": {MODEL: hashlib.sha256(content).hexdigest()}}
    with pytest.raises(CheckpointError, match="here"):
        read_checkpoint({INDEX: json.dumps(index).encode(), MODEL: content}, "here")


def test_an_index_of_another_run_or_step_is_refused(ledger, caplog):
    save(ledger, 10, 20)
    other = write_checkpoint(checkpoint(20, run=1))
    change(ledger, INDEX, lambda _: other[INDEX])
    assert ledger.latest_checkpoint("run").step == 10
    for name, data in write_checkpoint(checkpoint(15)).items():
        ledger.store.write_bytes(f"{ledger.checkpoint_path('run', 20)}/{name}", data)
    assert ledger.latest_checkpoint("run").step == 10
    assert "says step 15; it belongs to another checkpoint" in warnings(caplog)[-1]


def test_the_model_alone_is_read_where_the_optimizer_is_damaged(ledger):
    save(ledger, 10, 20)
    change(ledger, OPTIMIZER, EDITS["flipped"])
    found = ledger.latest_checkpoint("run", optimizer=False)
    assert (found.step, found.optimizer) == (20, {})


def test_checkpoints_without_sizes_are_read(ledger):
    files = write_checkpoint(checkpoint(3))
    index = json.loads(files[INDEX])
    assert index.pop("bytes") == {name: len(files[name]) for name in (MODEL, OPTIMIZER)}
    assert read_checkpoint({**files, INDEX: json.dumps(index).encode()}, "here").step == 3


def test_an_index_can_forget_the_optimizer():
    files = write_checkpoint(checkpoint(3))
    del files[OPTIMIZER]
    files[INDEX] = without_optimizer(files[INDEX], "here")
    found = read_checkpoint(files, "here")
    assert (found.step, found.optimizer) == (3, {})
    assert torch.equal(found.model["weight"], checkpoint(3).model["weight"])


def test_all_damaged_means_to_begin_anew(ledger, caplog):
    save(ledger, 10, 20)
    for step in (10, 20):
        change(ledger, MODEL, EDITS["truncated"], step)
    assert ledger.resume("run") is None
    assert ledger.metrics("run") == []
    assert len(warnings(caplog)) == 2


def test_going_on_from_an_earlier_checkpoint_leaves_no_row_twice(ledger):
    save(ledger, 10, 20, 30)
    change(ledger, MODEL, EDITS["flipped"], 30)
    ledger.write_metrics("run", 40, [{"step": 40, "loss": 0.1}])  # killed before its checkpoint
    assert ledger.resume("run", drop=False).step == 20, "a worker that does not write sees the same"
    assert ledger.resume("run").step == 20
    assert [row["step"] for row in ledger.metrics("run")] == [5, 10, 15, 20]
    assert ledger.resume("run", drop=False).step == 20


def test_the_course_that_was_left_is_forgotten(ledger):
    """A damaged checkpoint must not push the good ones out of the newest few."""
    save(ledger, 10, 20, 30)
    change(ledger, MODEL, EDITS["flipped"], 30)
    ledger.resume("run")
    save(ledger, 25)
    assert ledger.checkpoint_steps("run") == [20, 25]
    assert ledger.latest_checkpoint("run").step == 25


def test_as_many_are_kept_as_asked_for_and_nothing_half_written(ledger):
    ledger.store.write_bytes("runs/run/checkpoints/00000005/model.safetensors", b"half")
    for step in (10, 20, 30, 40):
        ledger.save_checkpoint("run", checkpoint(step), keep=3)
    assert ledger.checkpoint_steps("run") == [20, 30, 40]
    assert not ledger.store.exists("runs/run/checkpoints/00000005/model.safetensors")


PARTS = {
    "half-written": b'{"step": 15, "loss": 1.0}\n{"step": 2',
    "garbage": b"\xff\x00garbage\n",
    "other JSON": b'[1, 2]\n"text"\n',
    "without steps": b'{"loss": 1.0}\n',
    "deep": b"[" * 100_000 + b"\n",
    "empty": b"",
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_damaged_part_of_the_metrics_is_computed_again(ledger, kind):
    save(ledger, 10, 20)
    ledger.store.write_bytes("runs/run/metrics/00000020.jsonl", PARTS[kind])
    steps = [row["step"] for row in ledger.metrics("run")]
    assert steps[:2] == [5, 10]
    assert set(steps) <= {5, 10, 15}
    assert ledger.resume("run").step == 10
    assert [row["step"] for row in ledger.metrics("run")] == [5, 10]


def test_rows_that_cannot_be_computed_again_are_missing_loudly(ledger, caplog):
    save(ledger, 10, 20, 30)
    ledger.store.write_bytes("runs/run/metrics/00000010.jsonl", b"garbage\n")
    assert ledger.resume("run").step == 30
    assert [row["step"] for row in ledger.metrics("run")] == [15, 20, 25, 30]
    assert [record.path for record in ledger.damage("run")] == ["runs/run/metrics/00000010.jsonl"]
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"state": "asleep"}', b'{"state": "running", "step": "ten"}'], ids=range(6))
def test_a_damaged_status_is_a_missing_one(ledger, content, caplog):
    ledger.store.write_bytes("runs/run/status.json", content)
    assert ledger.status("run") is None
    assert ledger.statuses(["run", "never"]) == {}
    assert "runs/run/status.json: damaged" in caplog.text


def test_records_of_other_versions_are_read(ledger):
    ledger.store.write_bytes("runs/run/status.json", b'{"state": "finished", "step": 7, "seconds": 1.5, "invented": "later"}')
    assert ledger.status("run") == RunStatus("finished", 7, 1.5)
    assert ledger.status("run").attempts == 0


def test_failures_are_counted_and_kept(ledger):
    ledger.set_status("run", RunStatus("running", 10, 3.5))
    first = ledger.record_failure("run", "crash", "its process died", final=False)
    assert (first.state, first.step, first.attempts, first.error) == ("running", 10, 1, "its process died")
    last = ledger.record_failure("run", "non_finite", "the loss became infinite at step 12", keys=["ant/1", "bee/2"])
    assert (last.state, last.attempts) == ("failed", 2)
    assert ledger.status("run") == last
    failures = ledger.failures("run")
    assert [(failure.kind, failure.attempt, failure.keys) for failure in failures] == [
        ("crash", 1, ()),
        ("non_finite", 2, ("ant/1", "bee/2")),
    ]
    assert ledger.record_failure("other", "cancelled", "stopped by a person").state == "cancelled"
    ledger.set_status("done", RunStatus("finished", 10))
    assert ledger.record_failure("done", "crash", "its evaluation died", final=False).state == "finished"
