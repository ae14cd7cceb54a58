"""Draws the profile of a training."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from g3dr.profiling.advice import Advice
from g3dr.profiling.steps import StepProfile, TrainingProfile
from orchestrator.runs import RunRequest

_UNITS = ((2**30, "GB"), (2**20, "MB"), (2**10, "kB"))


@dataclass(frozen=True)
class Setting:
    """What was measured where.

    Attributes:
        request: The run.
        device: What computed.
        threads: CPU threads.
        untrained: Networks that had random weights.
    """

    request: RunRequest
    device: str
    threads: int
    untrained: tuple[str, ...]


def print_profile(profile: TrainingProfile, setting: Setting, words: Advice, out: Console) -> None:
    """Prints one table per kind of step, the memory, and what dominates."""
    request, config = setting.request, setting.request.spec.training
    workers = f"one of {request.workers} workers" if request.workers > 1 else "one worker"
    threads = f", {setting.threads} thread{'s' if setting.threads > 1 else ''}" if setting.device == "cpu" else ""
    side = request.spec.model.generator.resolution
    out.print(f"[bold]{escape(request.label)}[/bold]  {workers}, {profile.images} images of {side} pixels a step, {config.precision}")
    out.print(f"on {setting.device}{threads}")
    for step in profile.steps:
        out.print()
        out.print(_table(step))
        out.print(_comparison(step))
    out.print()
    out.print(_whole(profile, config.steps))
    for line in _memory(profile):
        out.print(line)
    for name in setting.untrained:
        out.print(f"[yellow]{escape(name)} had random weights: its time and memory are right, its loss means nothing[/yellow]")
    for line in filter(None, (words.time, words.memory)):
        out.print(escape(line))


def _table(step: StepProfile) -> Table:
    title = f"a step that renders {step.kind.name}: {step.kind.share:.0%} of the training's steps"
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="bold", show_footer=True)
    whole = max(step.watched, 1e-9)
    columns = (
        ("", "sum"),
        ("forward ms", _milliseconds(sum(cost.forward for cost in step.parts.values()))),
        ("backward ms", _milliseconds(sum(cost.backward for cost in step.parts.values()))),
        ("share", "100%"),
        ("kept for backward", readable(sum(cost.kept for cost in step.parts.values()))),
        ("", ""),
    )
    for index, (name, footer) in enumerate(columns):
        table.add_column(name, footer=footer, justify="right" if 0 < index < len(columns) - 1 else "left", footer_style="bold")
    for name, cost in step.parts.items():
        share = cost.seconds / whole
        way_back = _milliseconds(cost.backward) if cost.backward else "-"
        kept = readable(cost.kept) if cost.kept else "-"
        table.add_row(escape(name), _milliseconds(cost.forward), way_back, f"{share:.0%}", kept, "#" * round(20 * share))
    return table


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}"


def _comparison(step: StepProfile) -> str:
    overhead = step.watched / step.undisturbed - 1
    return (
        f"[dim]{_milliseconds(step.watched)} ms in parts, {_milliseconds(step.undisturbed)} ms when nobody watches ({overhead:+.0%})[/dim]"
    )


def _whole(profile: TrainingProfile, steps: int) -> str:
    seconds = profile.mean_step * steps
    length = (
        f"{seconds / 3600:,.1f} hours" if seconds > 2 * 3600 else f"{seconds / 60:.1f} minutes" if seconds > 120 else f"{seconds:.0f} s"
    )
    return f"on average {_milliseconds(profile.mean_step)} ms a step: {steps:,} steps take {length} here, reading the data set not counted"


def _memory(profile: TrainingProfile) -> list[str]:
    held = ", ".join(f"{name} {readable(count)}" for name, count in profile.held.items() if count)
    lines = [f"memory: {held}"]
    if profile.peak is not None:
        before = f", {readable(profile.before)} of it before there was a model" if profile.before else ""
        lines.append(f"memory at its highest: {readable(profile.peak)}{before}")
    return lines


def readable(count: int) -> str:
    """Returns bytes in words: 1.5 GB."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def profile_to_json(profile: TrainingProfile, setting: Setting, words: Advice) -> dict[str, Any]:
    """Returns the profile for programs: seconds and bytes."""
    request = setting.request
    steps = [
        {
            "kind": step.kind.name,
            "share": step.kind.share,
            "seconds": step.undisturbed,
            "seconds_in_parts": step.watched,
            "peak_bytes": step.peak,
            "parts": {name: asdict(cost) for name, cost in step.parts.items()},
        }
        for step in profile.steps
    ]
    return {
        "stage": request.stage,
        "run": request.label,
        "device": setting.device,
        "threads": setting.threads,
        "images": profile.images,
        "random_weights": list(setting.untrained),
        "mean_step_seconds": profile.mean_step,
        "shares": profile.shares(),
        "held_bytes": dict(profile.held),
        "peak_bytes": profile.peak,
        "bytes_before": profile.before,
        "steps": steps,
        "advice": asdict(words),
    }
