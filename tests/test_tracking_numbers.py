"""A run's numbers for TensorBoard and MLflow: each step once, whatever is killed, and nothing that can fail the run."""

import io
import struct
import subprocess
import sys
import time

import pytest
from tracking_fixture import do_steps, logs, pretrain_request, without_mlflow

from orchestrator.ledger import Ledger
from orchestrator.runs import RunRequest
from orchestrator.store import FolderStore
from orchestrator.tracking import RunOutputs
from orchestrator.tracking.event_file import event_file, masked_crc32c

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    without_mlflow(monkeypatch)
    return Ledger(FolderStore(tmp_path))


@pytest.fixture(scope="module")
def request_of_run():
    return pretrain_request()


# TensorBoard


def read_events(data: bytes) -> list:
    """Reads an event file with classes that are not ours."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c as their_checksum

    file, events = io.BytesIO(data), []
    while length := file.read(8):
        assert struct.unpack("<I", file.read(4))[0] == their_checksum(length)
        body = file.read(struct.unpack("<Q", length)[0])
        assert struct.unpack("<I", file.read(4))[0] == their_checksum(body)
        events.append(Event.FromString(body))
    return events


def scalars(ledger, request: RunRequest) -> list[tuple[int, str, float]]:
    paths = ledger.store.list(f"runs/{request.spec.id}/tensorboard")
    events = [event for path in paths for event in read_events(ledger.store.read_bytes(path))]
    return [(event.step, value.tag, value.simple_value) for event in events for value in event.summary.value]


def test_checksums_are_those_of_the_standard():
    crc = 0xE3069283  # CRC-32C of "123456789"
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_event_files_are_read_back_by_another_library():
    events = read_events(event_file([(1.5, 3, {"loss": 0.25, "größe": -1e300}), (2.5, 2**40, {"loss": 1e-3})]))
    assert events[0].file_version == "brain.Event:2"
    assert (events[1].wall_time, events[1].step) == (1.5, 3)
    assert [(value.tag, value.simple_value) for value in events[1].summary.value] == [("loss", 0.25), ("größe", float("-inf"))]
    assert events[2].step == 2**40


def test_each_checkpoint_writes_a_part_and_the_evaluation_one_of_its_own(ledger, request_of_run):
    with RunOutputs(ledger, request_of_run) as outputs:
        for step in (1, 2, 3, 4):
            outputs.scalars(step, {"loss": 1 / step, "bad": float("nan")})
            if step % 2 == 0:
                outputs.checkpoint(step)
        outputs.scalars(4, {"novel_psnr": 21.5}, "evaluation")
        outputs.ended("finished")
    names = [path.rpartition("/")[2] for path in ledger.store.list(f"runs/{request_of_run.spec.id}/tensorboard")]
    assert names == [f"events.out.tfevents.{end}" for end in ("00000002", "00000004", "00000004.evaluation")]
    assert [(step, tag) for step, tag, _ in scalars(ledger, request_of_run)] == [
        (1, "loss"),
        (2, "loss"),
        (3, "loss"),
        (4, "loss"),
        (4, "evaluation/novel_psnr"),
    ]


@pytest.mark.parametrize("checkpoint_every", [2, 3])
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_no_step_stands_twice_and_none_is_missing_after_a_kill(ledger, request_of_run, checkpoint_every, lost):
    run = request_of_run.spec.id
    with RunOutputs(ledger, request_of_run) as outputs:
        do_steps(outputs, ledger, run, range(1, 8))
    paths = ledger.store.list(f"runs/{run}/tensorboard")
    for path in paths[len(paths) - lost :]:  # killed before they were written
        ledger.store.delete(path)
    with RunOutputs(ledger, request_of_run) as outputs:
        outputs.resumed(4)  # the checkpoint of step 6 was damaged
        for step in range(5, 13):
            outputs.scalars(step, {"loss": float(step)})
            if step % checkpoint_every == 0:
                outputs.checkpoint(step)
        outputs.ended("finished")
    assert scalars(ledger, request_of_run) == [(step, "loss", float(step)) for step in range(1, 13)]


def test_a_run_without_parts_gets_them_from_the_ledger(ledger, request_of_run):
    ledger.write_metrics(request_of_run.spec.id, 4, [{"step": 2, "loss": 2.0}, {"step": 4, "loss": 4.0}])
    with RunOutputs(ledger, request_of_run) as outputs:
        outputs.resumed(4)
    assert scalars(ledger, request_of_run) == [(2, "loss", 2.0), (4, "loss", 4.0)]


def test_an_end_is_written_even_if_the_context_is_never_left(ledger, request_of_run):
    outputs = RunOutputs(ledger, request_of_run).__enter__()
    try:
        outputs.scalars(4, {"loss": 4.0})
        outputs.scalars(4, {}, "evaluation")
        outputs.ended("finished")
        deadline = time.monotonic() + 5
        while not logs(ledger, request_of_run) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "finished at step 4" in logs(ledger, request_of_run)["0001.log"]
        assert scalars(ledger, request_of_run) == [(4, "loss", 4.0)]
    finally:
        outputs.__exit__(None, None, None)


def test_only_the_first_worker_writes_numbers(ledger, request_of_run):
    with RunOutputs(ledger, request_of_run, rank=1) as outputs:
        outputs.scalars(1, {"loss": 1.0})
        outputs.checkpoint(1)
    assert scalars(ledger, request_of_run) == []


def test_taking_numbers_costs_less_than_a_millisecond(ledger, request_of_run):
    metrics = {f"metric_{index}": index / 7 for index in range(30)}
    with RunOutputs(ledger, request_of_run) as outputs:
        started = time.process_time()
        for step in range(1, 501):
            outputs.scalars(step, metrics)
        assert (time.process_time() - started) / 500 < 1e-3


# MLflow


@pytest.fixture
def mlflow_client(tmp_path, monkeypatch):
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'mlruns'}")
    return tracking.MlflowClient()


def history(client, request: RunRequest, metric="loss"):
    experiment = client.get_experiment_by_name(request.stage).experiment_id
    (found,) = client.search_runs([experiment])
    return found, [(point.step, point.value) for point in client.get_metric_history(found.info.run_id, metric)]


def test_mlflow_gets_one_record_for_a_run_however_often_it_is_killed(ledger, request_of_run, mlflow_client):
    run = request_of_run.spec.id
    with RunOutputs(ledger, request_of_run) as outputs:
        do_steps(outputs, ledger, run, range(1, 6))
    found, points = history(mlflow_client, request_of_run)
    assert found.info.status == "RUNNING"
    assert points == [(step, float(step)) for step in range(1, 5)]
    with RunOutputs(ledger, request_of_run, attempt=2) as outputs:
        outputs.resumed(2)  # before what the server has
        for step in range(3, 9):
            outputs.scalars(step, {"loss": float(step)})
        outputs.checkpoint(8)
        outputs.scalars(8, {"novel_psnr": 21.5}, "evaluation")
        outputs.ended("finished")
    found, points = history(mlflow_client, request_of_run)
    assert points == [(step, float(step)) for step in range(1, 9)]
    assert history(mlflow_client, request_of_run, "evaluation/novel_psnr")[1] == [(8, 21.5)]
    assert found.info.status == "FINISHED"
    assert found.info.run_name == request_of_run.label
    assert found.data.params["training.steps"] == "10"
    assert found.data.tags["g3dr.run"] == run


def test_a_server_that_does_not_answer_fails_nothing(ledger, request_of_run, monkeypatch, caplog):
    pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with RunOutputs(ledger, request_of_run) as outputs:
        outputs.scalars(1, {"loss": 1.0})
        outputs.checkpoint(1)
        outputs.ended("finished")
    assert next(record.message for record in caplog.records if "MLflow" in record.message).startswith(
        "MLflow's record of the run cannot be written, the run goes on: "
    )
    assert len(scalars(ledger, request_of_run)) == 1


def test_mlflow_that_is_not_installed_is_said_once(ledger, request_of_run, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with RunOutputs(ledger, request_of_run) as outputs:
        outputs.ended("finished")
    assert "pip install mlflow-skinny" in caplog.text


def test_trackers_that_are_not_used_are_not_imported():
    code = "import sys, orchestrator.tracking; print([name for name in ('mlflow', 'tensorboardX', 'torch', 'ray') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
