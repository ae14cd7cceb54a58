"""Progress: bars with a rate on a terminal, few plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from orchestrator.cli import progress as module
from orchestrator.cli.progress import Bars, Lines, progress, rate, shown_on, time_left
from orchestrator.cli.watching import LiveWatch, PlainWatch, watch_on

pytestmark = pytest.mark.unit


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to move."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def plain():
    return Console(file=io.StringIO(), width=160)


def terminal():
    return Console(file=io.StringIO(), width=160, force_terminal=True, color_system=None)


def test_long_work_says_ten_lines_with_rate_and_time_left(clock):
    console = plain()
    with progress("drawing animals", "images", console) as advance:
        for done in range(1001):
            clock[0] += 0.5
            advance(done, 1000)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "drawing animals: 0 of 1,000"
    assert lines[1] == "drawing animals: 112 of 1,000, 2 images/s, 7 min left"
    assert lines[-1] == "drawing animals: 1,000 of 1,000, 2 images/s"


def test_short_work_says_where_it_begins_and_ends(clock):
    console = plain()
    with progress("packing", console=console) as advance:
        for done in range(31):
            clock[0] += 0.01
            advance(done, 30)
    assert console.file.getvalue().splitlines() == ["packing: 0 of 30", "packing: 30 of 30"]


def test_work_that_was_continued_counts_only_its_own_rate(clock):
    console = plain()
    lines = Lines(console)
    lines.move("pretrain", 500, 1000, "steps")
    clock[0] += 10
    lines.move("pretrain", 950, 1000, "steps", "loss 0.5")
    assert console.file.getvalue().splitlines()[-1] == "pretrain: 950 of 1,000, 45 steps/s, 1 s left, loss 0.5"


def test_nothing_to_do_is_said_once(clock):
    console = plain()
    with progress("packing", console=console) as advance:
        advance(0, 0)
        advance(0, 0)
    assert console.file.getvalue().splitlines() == ["packing: 0 of 0"]


def test_a_terminal_gets_a_bar_with_title_count_and_rate():
    console = terminal()
    with progress("drawing animals", "images", console) as advance:
        for done in range(0, 41, 4):
            advance(done, 40)
            module.time.sleep(0.02)
    shown = console.file.getvalue()
    assert "drawing animals" in shown
    assert "40/40" in shown
    assert "images/s" in shown


def test_markup_in_titles_is_text():
    console = plain()
    Lines(console).move("[bold]x[/bold]", 1, 1)
    assert console.file.getvalue() == "[bold]x[/bold]: 1 of 1\n"


def test_the_console_chooses():
    assert isinstance(shown_on(plain()), Lines)
    assert isinstance(shown_on(terminal()), Bars)
    assert type(watch_on(plain())) is PlainWatch
    assert type(watch_on(terminal())) is LiveWatch


def test_a_live_watch_shows_stages_runs_and_tasks():
    console = terminal()
    with watch_on(console) as watch:
        watch.task("packing animals", 1, 3)
        watch.task("packing animals", 3, 3)
        watch.stage_started("loss_sweep", "sweep", 8, 1)
        watch.run_progress("seed=0", 10, 40, {"loss": 0.25})
        watch._shown._bars.refresh()
        watch.run_ended("seed=0", "failed", "no room")
        watch._shown._bars.refresh()
        watch.stage_ended("loss_sweep", 12.0)
    shown = console.file.getvalue()
    for words in (
        "loss_sweep (sweep): 8 runs, 1 already in the ledger",
        "10/40",
        "loss 0.25",
        "2/8",
        "seed=0: failed: no room",
        "done in 12 s",
    ):
        assert words in shown, words


@pytest.mark.parametrize(("speed", "words"), [(0.123, "0.12 images/s"), (4.25, "4.2 images/s"), (1234.5, "1,234 images/s")])
def test_rates_have_two_digits_or_none_behind_the_point(speed, words):
    assert rate(speed, "images") == words


@pytest.mark.parametrize(("seconds", "words"), [(9.6, "10 s"), (600, "10 min"), (12600, "3.5 h")])
def test_time_left_is_said_as_people_say_it(seconds, words):
    assert time_left(seconds) == words
