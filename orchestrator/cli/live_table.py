"""Draws what runs at this moment, for the terminal that computes it and for `g3dr status` elsewhere."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.progress import time_left
from orchestrator.running.snapshot import RunNow, Snapshot

_STATES = {
    "finished": "green",
    "stopped": "cyan",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "running": "bold",
    "waiting": "dim",
}
_USUAL_METRICS = ("loss", "rgb", "depth", "novel_psnr", "canonical_psnr", "depth_rmse")
_LEAST_LABEL = 24
_MOST_METRICS = 5
_MOST_REASONS = 2
_FIXED_LINES = 10


def draw(snapshot: Snapshot, width: int, height: int) -> RenderableType:
    """Returns the picture of a moment, at most `height` lines of `width` columns."""
    width, parts = width - 1, list[RenderableType]()  # a line that fills a terminal wraps on some
    if snapshot.task is not None:
        parts.append(_task(snapshot.task, width))
    if snapshot.stage:
        parts += [_headline(snapshot, width), _bar(snapshot, width)]
        if snapshot.running:
            parts += _runs(snapshot, width, max(1, height - _FIXED_LINES))
        parts += _sentences(snapshot, width)
    return Group(*parts)


def shortened(text: str, width: int) -> str:
    """Returns `text` in at most `width` columns; labels of a sweep differ at their ends, so the middle goes."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _ended_early(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def counts_text(snapshot: Snapshot) -> Text:
    """Returns the runs by state, such as `7 finished, 1 failed, 2 running, 5 waiting`."""
    counts = snapshot.counts
    return Text(", ").join(Text(f"{counts[state]:,} {state}", style) for state, style in _STATES.items() if state in counts)


def best_text(snapshot: Snapshot) -> str:
    """Returns the best run so far with its number; empty while there is none."""
    goal = snapshot.goal
    return "" if goal is None or goal.value is None else f"{goal.metric} {goal.value:.4g} ({goal.label})"


def left_text(snapshot: Snapshot) -> str:
    """Returns the time and the money that are left; empty while nobody knows."""
    words = [time_left(snapshot.seconds_left)] if snapshot.seconds_left is not None else []
    words += [f"{snapshot.cost_left:,.2f} {snapshot.currency}".rstrip()] if snapshot.cost_left is not None else []
    return f"{' and '.join(words)} left" if words else ""


def _headline(snapshot: Snapshot, width: int) -> Text:
    line = Text.assemble((snapshot.stage, "bold"), f" ({snapshot.kind}): {snapshot.runs:,} run{'' if snapshot.runs == 1 else 's'}: ")
    line.append_text(counts_text(snapshot))
    line.truncate(width, overflow="ellipsis")
    return line


def _bar(snapshot: Snapshot, width: int) -> RenderableType:
    over = sum(snapshot.ended.values()) + sum(run.step / run.steps for run in snapshot.running if run.steps)
    words = [f"{over / max(1, snapshot.runs):.0%}", f"{time_left(snapshot.seconds)} passed", left_text(snapshot)]
    text = ", ".join(word for word in words if word)
    return _beside(over, snapshot.runs, text, width)


def _task(task: tuple[str, int, int], width: int) -> RenderableType:
    description, done, total = task
    return _beside(done, total, f"{description}: {done:,} of {total:,}", width)


def _beside(done: float, total: float, text: str, width: int) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    bar = max(8, min(40, width - len(text) - 1))
    row.add_row(ProgressBar(total=max(1, total), completed=done, width=bar), Text(text, no_wrap=True, overflow="ellipsis"))
    return row


def _runs(snapshot: Snapshot, width: int, lines: int) -> list[RenderableType]:
    shown = snapshot.running if len(snapshot.running) <= lines else snapshot.running[: lines - 1]
    columns = _columns(snapshot, shown, width)
    room = width - sum(_width(column) for column in columns)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("run", no_wrap=True)
    for name, *_ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for label, *cells in zip(_labels(shown, room), *(column[1:] for column in columns), strict=True):
        table.add_row(Text(label), *cells)
    more = len(snapshot.running) - len(shown)
    return [table, Text(f"and {more:,} more that run", style="dim")] if more else [table]


def _width(column: Sequence[str]) -> int:
    return max(map(len, column)) + 2


def _columns(snapshot: Snapshot, shown: Sequence[RunNow], width: int) -> list[list[str]]:
    """Returns columns with their titles: step, rate, time left, and the metrics that there is room for."""
    columns = [
        ["step", *(f"{run.step:,}/{run.steps:,}" if run.step else "starts" for run in shown)],
        ["steps/s", *(_pace(run.rate) for run in shown)],
        ["left", *("-" if run.seconds_left is None else time_left(run.seconds_left) for run in shown)],
    ]
    room = width - _LEAST_LABEL - sum(map(_width, columns))
    for name in _metric_names(snapshot):
        column = [name, *(f"{run.metrics[name]:.4g}" if name in run.metrics else "-" for run in shown)]
        room -= _width(column)
        if room < 0:
            break
        columns.append(column)
    return columns


def _pace(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}" if rate else "-"


def _metric_names(snapshot: Snapshot) -> list[str]:
    """What the stage looks for first, then what trainings usually tell."""
    there = {name for run in snapshot.running for name in run.metrics}
    wanted = ([snapshot.goal.metric] if snapshot.goal else []) + list(_USUAL_METRICS)
    return [name for name in dict.fromkeys(wanted) if name in there][:_MOST_METRICS]


def _labels(shown: Sequence[RunNow], width: int) -> list[str]:
    """Labels that fit; where they do not, the values that all of them share are left out first, since they tell nobody apart."""
    labels = [run.label for run in shown]
    if len(labels) > 1 and max(map(len, labels)) > width:
        shared = set.intersection(*(set(label.split(", ")) for label in labels))
        labels = [", ".join(part for part in label.split(", ") if part not in shared) or label for label in labels]
    return [shortened(label, width) for label in labels]


def _sentences(snapshot: Snapshot, width: int) -> list[Text]:
    found = []
    if goal := snapshot.goal if snapshot.goal and snapshot.goal.value is not None else None:
        words = f"best so far: {goal.metric} {goal.value:.4g} "
        found.append(Text.assemble((words, "green"), shortened(goal.label, max(_LEAST_LABEL, width - len(words)))))
    for reason, count in Counter(snapshot.waiting.values()).most_common(_MOST_REASONS):
        runs = f"{count:,} run{'s wait' if count > 1 else ' waits'}: "
        found.append(Text.assemble((runs, "yellow"), shortened(reason, width - len(runs))))
    if snapshot.last_error:
        found.append(Text.assemble(("last error: ", "red"), _ended_early(snapshot.last_error.replace("\n", " "), 2 * width - 30)))
    return found
