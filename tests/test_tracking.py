"""What a run leaves behind for people: a log of bounded size, and nothing that can fail or delay it."""

import logging
import time

import pytest
from tracking_fixture import logs, pretrain_request, without_mlflow

from orchestrator.ledger import Ledger
from orchestrator.store import FolderStore, StoreError
from orchestrator.tracking import RunOutputs
from orchestrator.tracking.background import Background
from orchestrator.tracking.bounded import BoundedText

pytestmark = pytest.mark.unit
logger = logging.getLogger("orchestrator.somewhere")


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    without_mlflow(monkeypatch)
    return Ledger(FolderStore(tmp_path))


@pytest.fixture(scope="module")
def request_of_run():
    return pretrain_request()


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


def test_of_rays_own_words_only_warnings_are_kept(ledger, request_of_run):
    path = "/x/site-packages/ray/train/context.py"
    with RunOutputs(ledger, request_of_run):
        for level, text in ((logging.INFO, "Reporting training result 1"), (logging.WARNING, "a node is gone")):
            logging.getLogger().handle(logging.LogRecord(path, level, path, 1, text, (), None))
    (text,) = logs(ledger, request_of_run).values()
    assert "Reporting" not in text
    assert "WARNING ray: a node is gone" in text


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
    monkeypatch.setattr("orchestrator.tracking.numbered_log.FLUSH_SECONDS", 0.0)
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
        assert time.monotonic() - started < 5  # 100 writes of 0.2 s each otherwise
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
