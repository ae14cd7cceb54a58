"""What a run leaves behind for people: a log of bounded size, TensorBoard's files, and nothing that can fail or delay it."""

import io
import logging
import struct
import time

import pytest

from orchestrator.ledger import Ledger
from orchestrator.runs import RunRequest
from orchestrator.store import FolderStore, StoreError
from orchestrator.tracking import RunOutputs
from orchestrator.tracking.background import Background
from orchestrator.tracking.bounded import BoundedText
from orchestrator.tracking.event_file import event_file, masked_crc32c

pytestmark = pytest.mark.unit
logger = logging.getLogger("orchestrator.somewhere")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(FolderStore(tmp_path))


@pytest.fixture(scope="module")
def request_of_run():
    from experiment_document import DOCUMENT

    from orchestrator.expand import expand_stage
    from orchestrator.knowledge import DatasetInfo, Knowledge
    from orchestrator.spec import parse_experiment

    experiment = parse_experiment(DOCUMENT)
    known = Knowledge({"animals": DatasetInfo("datasets/animals", "v1", ("a", "b"))})
    (made,) = expand_stage(experiment, experiment.stage("pretrain"), known)
    return made


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def logs(ledger, request: RunRequest) -> dict[str, str]:
    folder = f"runs/{request.spec.id}/logs"
    return {path.rpartition("/")[2]: ledger.store.read_bytes(path).decode() for path in ledger.store.list(folder)}


# bounded text


def test_short_text_is_kept_whole():
    text = BoundedText()
    for line in ("a", "", "ö"):
        text.add(line)
    assert text.to_bytes().decode() == "a\n\nö\n"


def test_half_a_million_lines_leave_the_first_the_last_and_the_number_between():
    text, count = BoundedText(head=1000, tail=2000), 500_000
    for number in range(count):
        text.add(f"line {number}")
    kept = text.to_bytes().decode()
    assert len(kept) < 3200
    lines = kept.splitlines()
    gap = next(index for index, line in enumerate(lines) if "left out here" in line)
    assert lines[0] == "line 0"
    assert lines[-1] == f"line {count - 1}"
    assert lines[gap] == f"... {count - len(lines) + 1:,} lines ({text.lost_bytes:,} bytes) left out here ..."
    assert lines[gap + 1 :] == [f"line {number}" for number in range(count - len(lines) + gap + 1, count)]


def test_one_endless_line_is_cut():
    text = BoundedText()
    text.add("x" * 10_000_000)
    assert len(text.to_bytes()) < 17_000
    assert b"bytes of this line left out" in text.to_bytes()


# the log of a run


def test_a_log_holds_what_was_logged_while_the_run_was_computed(ledger, request_of_run):
    logger.warning("before")
    with RunOutputs(ledger, request_of_run) as outputs:
        logger.warning("during %d", 7)
        outputs.scalars(3, {"loss": 0.5})
        outputs.ended("finished")
    logger.warning("after")
    text = logs(ledger, request_of_run)["0001.log"]
    assert "WARNING orchestrator.somewhere: during 7" in text
    assert "step 3: loss 0.5" in text
    assert "finished at step 3" in text
    assert "before" not in text
    assert "after" not in text


def test_a_log_ends_with_the_traceback_of_what_was_not_caught(ledger, request_of_run):
    with pytest.raises(ZeroDivisionError), RunOutputs(ledger, request_of_run):
        _ = 1 / 0
    text = logs(ledger, request_of_run)["0001.log"]
    assert "Traceback" in text
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_an_attempt_never_overwrites_the_log_of_another(ledger, request_of_run):
    for word in ("first", "second"):
        with RunOutputs(ledger, request_of_run, attempt=1):
            logger.warning(word)
    found = logs(ledger, request_of_run)
    assert "first" in found["0001.log"]
    assert "second" in found["0002.log"]


def test_logs_of_many_attempts_are_bounded(ledger, request_of_run):
    for attempt in range(1, 31):
        with RunOutputs(ledger, request_of_run, attempt=attempt):
            pass
    assert list(logs(ledger, request_of_run)) == [f"{attempt:04d}.log" for attempt in range(11, 31)]


def test_other_workers_keep_a_log_only_if_something_is_amiss(ledger, request_of_run):
    with RunOutputs(ledger, request_of_run, rank=1) as outputs:
        outputs.scalars(3, {"loss": 0.5})
        outputs.ended("finished")
    assert logs(ledger, request_of_run) == {}
    with RunOutputs(ledger, request_of_run, rank=1):
        logger.warning("amiss")
    assert list(logs(ledger, request_of_run)) == ["0001.worker1.log"]


def test_a_wrong_format_string_fails_nothing(ledger, request_of_run, capfd):
    with RunOutputs(ledger, request_of_run):
        logging.getLogger().handlers[-1].handle(logging.LogRecord("x", logging.WARNING, "", 0, "%d of %d", ("three",), None))
    assert "cannot be formatted: '%d of %d'" in logs(ledger, request_of_run)["0001.log"]
    assert "Traceback" not in capfd.readouterr().err


def test_the_log_is_written_while_the_run_goes_on(ledger, request_of_run, monkeypatch):
    monkeypatch.setattr("orchestrator.tracking.run_log.FLUSH_SECONDS", 0.0)
    with RunOutputs(ledger, request_of_run):
        logger.warning("look at me")
        deadline = time.monotonic() + 5
        while "look at me" not in "".join(logs(ledger, request_of_run).values()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "look at me" in logs(ledger, request_of_run)["0001.log"]


def test_a_hundred_thousand_records_leave_a_megabyte_and_cost_little(ledger, request_of_run):
    with RunOutputs(ledger, request_of_run) as outputs:
        handler = outputs._log
        record = logging.LogRecord("g3dr", logging.WARNING, "", 0, "a line of an ordinary length, as they are: %d", (5,), None)
        started = time.process_time()
        for _ in range(100_000):
            handler.handle(record)
        each = (time.process_time() - started) / 100_000
    (text,) = logs(ledger, request_of_run).values()
    assert len(text) <= 2**20 + 200
    assert "lines (" in text
    assert each < 1e-3


# what fails nothing


def test_a_store_that_is_away_fails_and_delays_nothing(ledger, request_of_run, monkeypatch, caplog):
    def away(*_):
        time.sleep(0.2)
        raise StoreError("no answer")

    for name in ("write_bytes", "write_if_absent"):
        monkeypatch.setattr(FolderStore, name, away)
    with RunOutputs(ledger, request_of_run) as outputs:
        started = time.monotonic()
        for step in range(1, 51):
            outputs.scalars(step, {"loss": 0.5})
            outputs.checkpoint(step)
        assert time.monotonic() - started < 0.15
        monkeypatch.setattr("orchestrator.tracking.outputs.PATIENCE_SECONDS", 0.1)
    assert len([record for record in caplog.records if "the run goes on" in record.message]) == 1


def test_what_waits_is_bounded(caplog):
    background = Background("the log")
    background.do(lambda: time.sleep(0.3))
    for _ in range(5000):
        background.do(lambda: None)
    background.close(5)
    assert "the log cannot be written, the run goes on: it is too slow" in caplog.text


def test_nothing_is_started_where_nothing_is_to_do():
    background = Background("the log")
    background.close(5)
    assert background._thread is None


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
        for step in range(1, 8):
            outputs.scalars(step, {"loss": float(step)})
            if step % 2 == 0:
                ledger.write_metrics(run, step, [{"step": step - 1, "loss": step - 1.0}, {"step": step, "loss": float(step)}])
                outputs.checkpoint(step)
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
        for step in range(1, 6):
            outputs.scalars(step, {"loss": float(step)})
            if step % 2 == 0:
                ledger.write_metrics(run, step, [{"step": step - 1, "loss": step - 1.0}, {"step": step, "loss": float(step)}])
                outputs.checkpoint(step)
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
    import subprocess
    import sys

    code = "import sys, orchestrator.tracking; print([name for name in ('mlflow', 'tensorboardX', 'torch', 'ray') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
