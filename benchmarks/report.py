"""Measurements as a table for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from benchmarks.figures import Figure, Setting
from benchmarks.measuring import Measurement

COLUMNS = ("figure", "ours", "reference", "ratio", "difference", "memory", "reference", "share", "a second")

Measurements = Mapping[str, Measurement]


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def _megabytes(value: int | None) -> str:
    return "-" if value is None else f"{value / 1e6:.0f} MB"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _cells(name: str, measured: Measurement) -> tuple[str, ...]:
    ratio = "-" if measured.ratio is None else f"x{measured.ratio:.2f}"
    return (
        name,
        _seconds(measured.ours_s),
        _seconds(measured.reference_s),
        ratio,
        _number(measured.max_difference, ".1e"),
        _megabytes(measured.ours_bytes),
        _megabytes(measured.reference_bytes),
        _number(measured.memory_ratio, ".2f"),
        _number(measured.per_second, ".3g"),
    )


def machine(setting: Setting) -> dict[str, Any]:
    """Returns what the numbers depend on besides the code."""
    cuda = setting.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(setting.device) if cuda else (_processor() or platform.machine()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "quick": setting.quick,
    }


def _processor() -> str | None:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


def rich_table(measurements: Measurements) -> Table:
    """Returns the table for a terminal."""
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "figure" else "right", no_wrap=True)
    for name, measured in measurements.items():
        table.add_row(*_cells(name, measured))
    return table


def markdown_table(measurements: Measurements) -> str:
    """Returns the table for a document."""
    rows = [COLUMNS, ("---", *("---:" for _ in COLUMNS[1:])), *(_cells(name, measured) for name, measured in measurements.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def detail_lines(measurements: Measurements) -> list[str]:
    """Returns what figures say beyond the columns of the table."""
    return [f"{name}, {what}: {value:.3g}" for name, measured in measurements.items() for what, value in sorted(measured.details.items())]


def write_json(path: Path, figures: Mapping[str, Figure], measurements: Measurements, about: Mapping[str, Any]) -> None:
    """Writes everything to `path`, which appears whole or not at all."""
    content = {
        "machine": about,
        "figures": {name: {"meaning": figures[name].meaning, **asdict(measured)} for name, measured in measurements.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)
