"""Progress: bars with a rate on a terminal, few plain lines elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.cli import progress as module
from orchestrator.cli.live_table import draw
from orchestrator.cli.progress import Bars, Lines, progress, rate, shown_on, time_left
from orchestrator.cli.watching import LiveWatch, PlainWatch, watch_on
from orchestrator.running.snapshot import RunNow, Snapshot
from orchestrator.running.watching import Goal

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


def test_a_live_watch_shows_tasks_runs_errors_and_what_came_of_it():
    console = terminal()
    with watch_on(console) as watch:
        watch.task("packing animals", 1, 3)
        watch._live.refresh()
        watch.task("packing animals", 3, 3)
        watch.stage_started("loss_sweep", "sweep", 8, 1)
        watch.run_progress("seed=0", 10, 40, {"loss": 0.25})
        watch._live.refresh()
        watch.run_ended("seed=0", "failed", "no room")
        watch.stage_ended("loss_sweep", 12.0)
    shown = console.file.getvalue()
    for words in (
        "packing animals: 1 of 3",
        "loss_sweep (sweep): 8 runs, 1 already in the ledger",
        "10/40",
        "0.25",
        "1 finished, 1 running, 6 waiting",
        "seed=0: failed: no room",
        "loss_sweep: done in 12 s: 1 finished, 1 failed",
    ):
        assert words in shown, words


# the table


def snapshot(runs=3, label="a", **changes):
    running = tuple(
        RunNow(f"{label}={index}", "1f", 10 * index, 1000, 9.96, 12.0, {"loss": 0.123456, "novel_psnr": 20.0}) for index in range(runs)
    )
    made = Snapshot(
        "losses", "sweep", runs + 20, {"finished": 5, "failed": 2}, running, goal=Goal("novel_psnr", "max", "b=7", 21.25), seconds=90.0
    )
    return replace(made, **changes)


def drawn(snapshot, width, height=24):
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(draw(snapshot, width, height))
    return console.file.getvalue().rstrip("\n").splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("runs", [1, 4, 200])
@pytest.mark.parametrize("label", ["a", "objective.rgb.form=smooth_l1, objective.depth.form=cosine, learning_rate=0.0005, seed"])
def test_the_table_fits_any_terminal_whatever_runs(width, runs, label):
    lines = drawn(snapshot(runs, label, last_error=f"{label}: {'no room ' * 50}", waiting={label: "another orchestrator " * 9}), width)
    assert len(lines) <= 22
    assert max(map(len, lines)) < width
    assert any("novel_psnr" in line for line in lines)


def test_the_table_says_how_many_runs_it_leaves_out():
    lines = drawn(snapshot(200), 80)
    assert "and 187 more that run" in lines
    assert lines[2].split() == ["run", "step", "steps/s", "left", "novel_psnr", "loss"]
    assert lines[4].split() == ["a=1", "10/1,000", "10", "99", "s", "20", "0.1235"]


def test_what_all_labels_share_is_left_out_where_there_is_no_room():
    lines = drawn(snapshot(3, "objective.rgb.form=smooth_l1, objective.depth.form=cosine, rate"), 80)
    assert [line.split()[0] for line in lines[3:6]] == ["rate=0", "rate=1", "rate=2"]
    lines = drawn(snapshot(3, "form=l1, rate"), 120)
    assert lines[3].startswith("form=l1, rate=0")


def test_the_table_says_time_and_cost_left_and_who_waits():
    waiting = {"x": "no node has 8 GPUs", "y": "no node has 8 GPUs"}
    text = "\n".join(drawn(snapshot(seconds_left=7300.0, cost_left=12.345, currency="EUR", waiting=waiting), 120))
    assert "90 s passed, 2.0 h and 12.35 EUR left" in text
    assert "2 runs wait: no node has 8 GPUs" in text
    assert "best so far: novel_psnr 21.25 b=7" in text


def test_nothing_is_drawn_between_stages():
    assert drawn(Snapshot(), 80) == []


# plain lines


@pytest.fixture
def plain_watch(clock):
    return PlainWatch(plain())


def lines_of(watch):
    return watch._console.file.getvalue().splitlines()


def test_a_small_stage_tells_every_end(plain_watch):
    plain_watch.stage_started("losses", "sweep", 3, 1)
    for label in "ab":
        plain_watch.run_ended(label, "finished", None)
    plain_watch.stage_ended("losses", 9.0)
    assert lines_of(plain_watch) == [
        "losses (sweep): 3 runs, 1 already in the ledger",
        "  a: finished",
        "  b: finished",
        "losses: done in 9 s: 3 finished",
    ]


def test_a_thousand_short_runs_are_summed_up(plain_watch, clock):
    plain_watch.stage_started("losses", "sweep", 1000, 0)
    for number in range(1000):
        clock[0] += 0.125
        plain_watch.run_started(f"a={number}", "1f", 10)
        plain_watch.run_progress(f"a={number}", 10, 10, {"loss": 0.5})
        plain_watch.run_ended(f"a={number}", "finished", None)
    plain_watch.stage_ended("losses", 100.0)
    lines = lines_of(plain_watch)
    assert len(lines) <= 15
    assert lines[1] == "  losses: 79 finished, 1 running, 920 waiting of 1,000; a=79 at step 10 of 10  loss 0.5; 2 min left"


def test_a_thousand_errors_are_told_ten_times(plain_watch):
    plain_watch.stage_started("losses", "sweep", 1000, 0)
    for number in range(1000):
        plain_watch.run_ended(f"a={number}", "failed", "no room")
    lines = lines_of(plain_watch)
    assert len(lines) == 12
    assert lines[10] == "  a=9: failed: no room"
    assert "g3dr status shows them" in lines[11]


def test_a_long_run_tells_where_it_is_every_ten_seconds(plain_watch, clock):
    plain_watch.stage_started("pretrain", "train", 1, 0)
    for step in range(1, 61):
        clock[0] += 1
        plain_watch.run_progress("pretrain", step, 100, {"loss": 0.25})
    lines = lines_of(plain_watch)
    assert len(lines) == 7
    assert lines[-1] == "  pretrain: 1 running of 1; pretrain at step 60 of 100  loss 0.25; 41 s left"


def test_a_retry_is_told_with_its_reason(plain_watch):
    plain_watch.stage_started("pretrain", "train", 1, 0)
    plain_watch.run_retried("pretrain", 2, "its process died")
    assert lines_of(plain_watch)[-1] == "  pretrain: tried again (attempt 2): its process died"


@pytest.mark.parametrize(("speed", "words"), [(0.123, "0.12 images/s"), (4.25, "4.2 images/s"), (1234.5, "1,234 images/s")])
def test_rates_have_two_digits_or_none_behind_the_point(speed, words):
    assert rate(speed, "images") == words


@pytest.mark.parametrize(("seconds", "words"), [(9.6, "10 s"), (600, "10 min"), (12600, "3.5 h")])
def test_time_left_is_said_as_people_say_it(seconds, words):
    assert time_left(seconds) == words
