"""The command line of the benchmarks."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.figures import Figure, Setting
from benchmarks.measuring import Measurement, measure
from benchmarks.registry import FIGURES
from benchmarks.report import detail_lines, machine, markdown_table, rich_table, write_json

BAD_INPUT = 2
TABLE_WIDTH = 120  # a narrower terminal wraps lines, but cuts nothing off
EXAMPLE = "example: python -m benchmarks --only frame_64_64 --only train_render_32_32 --seconds 60"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times this code and named baselines in turns, in one process, and compares their results.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this figure, or else all whose names start so; repeatable")
    parser.add_argument("--list", action="store_true", help="say what each figure is and leave")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only shows that everything runs")
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S", help="time for each figure, at least three rounds (default: 30)"
    )
    parser.add_argument("--no-memory", action="store_true", help="times only; saves a process for each side of a figure")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where to compute (default: cpu)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE", help="default: build/bench.json")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    return parser


def _chosen(names: Sequence[str] | None, device: str) -> dict[str, Figure]:
    """Returns the figures of these names, or whose names start so where there is none, all without any; those of the device."""
    possible = {figure.name: figure for figure in FIGURES if device == "cuda" or not figure.cuda_only}
    prefixes = tuple(name for name in names or [""] if name not in possible)
    return {name: figure for name, figure in possible.items() if name in (names or []) or name.startswith(prefixes)}


def _complaint(options: argparse.Namespace, figures: dict[str, Figure]) -> str | None:
    """Returns what is wrong with the command line, if anything."""
    unknown = [name for name in options.only or [] if not any(figure.startswith(name) for figure in figures)]
    if unknown:
        return f"--only {unknown[0]}: no figure of that name on this device; there are {', '.join(_chosen(None, options.device))}"
    if options.seconds < 0:
        return f"--seconds {options.seconds}: 0 or more is allowed"
    if options.device == "cuda" and not torch.cuda.is_available():
        return "--device cuda: PyTorch sees no CUDA device here; run `make bench` for the CPU"
    return None


def _measured(console: Console, figures: dict[str, Figure], setting: Setting, options: argparse.Namespace) -> dict[str, Measurement]:
    """Measures one figure after the other and says which."""
    measurements = {}
    for number, (name, figure) in enumerate(figures.items(), start=1):
        with console.status(f"{number} of {len(figures)}: {name}"):
            measurements[name] = measure(replace(figure, memory=figure.memory and not options.no_memory), setting, options.seconds)
    return measurements


def main(arguments: Sequence[str]) -> int:
    """Runs the benchmarks; returns the exit code."""
    options = _parser().parse_args(arguments)
    figures, errors = _chosen(options.only, options.device), Console(stderr=True)
    complaint = _complaint(options, figures)
    if complaint is not None:
        errors.print(complaint, markup=False, soft_wrap=True)
        return BAD_INPUT
    console = Console(soft_wrap=True, highlight=False, width=max(errors.width, TABLE_WIDTH))
    if options.list:
        for figure in figures.values():
            console.print(f"{figure.name}: {figure.meaning}", markup=False)
        return 0
    _run(console, errors, options, figures)
    return 0


def _run(console: Console, errors: Console, options: argparse.Namespace, figures: dict[str, Figure]) -> None:
    setting = Setting(torch.device(options.device), options.quick)
    about = machine(setting)
    measurements = _measured(errors, figures, setting, options)
    write_json(options.json, figures, measurements, about)
    console.print(markdown_table(measurements) if options.markdown else rich_table(measurements), markup=False)
    for line in detail_lines(measurements):
        console.print(line, markup=False)
    console.print(
        f"{about['device']}, {about['threads']} threads, load {about['load']} at the start, PyTorch {about['torch']}", markup=False
    )
    errors.print(f"Written to {options.json}. What bounds each figure: docs/performance.md", markup=False)
