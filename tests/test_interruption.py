"""Signals from outside: SIGTERM ends a command as Ctrl-C does, and a second signal ends it at once."""

import signal
import subprocess
import sys
import threading

import pytest

from orchestrator.cli.interruption import Interruption
from orchestrator.cli.main import main
from orchestrator.cluster.connection import _own_sigterm

pytestmark = pytest.mark.unit
TIDYING = """
import time
from orchestrator.cli.interruption import Interruption

with Interruption():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("tidying", flush=True)
        time.sleep(60)
"""


@pytest.fixture(autouse=True)
def fresh():
    """The signals as they are in a new process; a Ray that was started in this one has taken them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_both_signals_end_a_verb_with_the_same_sentence(monkeypatch, tmp_path, capsys, number, code):
    monkeypatch.setattr("orchestrator.cli.data.verify.open_store", lambda *_: signal.raise_signal(number))
    monkeypatch.setattr("sys.argv", ["g3dr", "data", "verify", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert capsys.readouterr() == ("", "interrupted: run the same command again to continue where it stopped\n")


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_waits_for_nothing(numbers):
    with subprocess.Popen([sys.executable, "-c", TIDYING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for number, word in zip(numbers, ("begun", "tidying"), strict=True):
            assert process.stdout.readline().strip() == word
            process.send_signal(number)
        assert process.wait(timeout=20) == -numbers[1]


def test_a_signal_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_threads_leave_signals_alone():
    seen = []

    def enter():
        with Interruption():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def take_sigterm():
    """What `ray.init` does first."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))


def test_sigterm_is_ours_again_once_ray_has_started():
    with Interruption() as interruption:
        with _own_sigterm():
            take_sigterm()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert interruption.exit_code == 143


def test_a_sigterm_that_comes_while_ray_starts_is_no_exit_of_rays():
    def start():
        with _own_sigterm():
            take_sigterm()
            signal.raise_signal(signal.SIGTERM)

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        start()
    assert interruption.exit_code == 143


def test_other_exits_while_ray_starts_are_passed_on():
    with pytest.raises(SystemExit, match="7"), _own_sigterm():
        sys.exit(7)
