"""What boosting does to the error of depth, where the truth is known: `python -m benchmarks.boosting`.

Procedural animals of 512 pixels, whose disparity is exact. Estimates are fitted to it in scale and shift, as nobody knows these.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.ndimage import binary_dilation

from benchmarks.known_error import KnownError, KnownErrorEstimator
from g3dr.depth import DepthEstimator, Picture, to_disparity
from g3dr.depth.boosting import BoostedEstimator, BoostOptions
from g3dr.depth.boosting.merging import fitted
from g3dr.pictures import to_bytes
from g3dr.procedural.camera import look_from
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.rendering import render
from g3dr.procedural.species import make_species
from orchestrator.report.statistics import student_mean

JUMP = 0.05  # of disparity between neighbouring pixels, of a range of 1: a discontinuity
NEAR_PIXELS = 4
ORDERED = 0.05  # points whose disparities differ by less count as equally far
NOISE = 2  # gray levels, as a camera's; with it no two rows of a picture are equal, by which its parts are found

Truth = Float64[np.ndarray, "height width"]
Scene = tuple[UInt8[np.ndarray, "height width 3"], Truth]


def make_scene(number: int, resolution: int, seed: int) -> Scene:
    """Draws an animal with its disparity: species take turns."""
    drawn = render(make_individual(make_species(number, seed), number, seed), look_from(), resolution, supersampling=1)
    noise = np.random.default_rng([seed, number]).integers(-NOISE, NOISE + 1, (resolution, resolution, 3))
    return (to_bytes(drawn.rgb).astype(int) + noise).clip(0, 255).astype(np.uint8), to_disparity(drawn.depth)


def discontinuities(truth: Truth) -> Bool[np.ndarray, "height width"]:
    """Returns the pixels before a jump to the next one, down or across."""
    found = np.zeros(truth.shape, np.bool_)
    found[:-1] |= np.abs(np.diff(truth, axis=0)) > JUMP
    found[:, :-1] |= np.abs(np.diff(truth, axis=1)) > JUMP
    return found


def errors(values: Truth, truth: Truth) -> dict[str, float]:
    """Returns the error of a map everywhere, near discontinuities, and of the order of points across them."""
    difference, jumps = fitted(values, truth) - truth, discontinuities(truth)
    near = binary_dilation(jumps, iterations=NEAR_PIXELS)
    return {
        "everywhere": float(np.sqrt((difference**2).mean())),
        "near edges": float(np.sqrt((difference[near] ** 2).mean())),
        "wrong order": _wrong_order(fitted(values, truth), truth, jumps),
    }


def _wrong_order(values: Truth, truth: Truth, jumps: Bool[np.ndarray, "height width"]) -> float:
    """Returns the share of pairs of points on both sides of a discontinuity whose order is wrong [D3R, after the paper's section 6]."""
    rows, columns = np.nonzero(jumps)
    wrong, pairs = 0, 0
    for down, across in ((NEAR_PIXELS, 0), (0, NEAR_PIXELS)):
        inside = (rows >= down) & (columns >= across) & (rows + down < truth.shape[0]) & (columns + across < truth.shape[1])
        one, other = ((rows[inside] + sign * down, columns[inside] + sign * across) for sign in (-1, 1))
        true_order, order = (_order(array[one] - array[other]) for array in (truth, values))
        counted = true_order != 0
        wrong, pairs = wrong + int((order != true_order)[counted].sum()), pairs + int(counted.sum())
    return wrong / max(1, pairs)


def _order(difference: Float64[np.ndarray, "pair"]) -> Float64[np.ndarray, "pair"]:
    return np.asarray(np.sign(difference) * (np.abs(difference) > ORDERED))


def compare(
    sides: Mapping[str, DepthEstimator], scenes: Mapping[str, Scene], told: Callable[[str], None]
) -> dict[str, list[dict[str, float]]]:
    """Returns the errors and seconds of each estimator, one entry a scene."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for key, (rgb, truth) in scenes.items():
        for name, estimator in sides.items():
            start = time.perf_counter()
            [values] = estimator.estimate([Picture(key, rgb)])
            seconds = time.perf_counter() - start
            found[name].append({**errors(values.astype(np.float64), truth), "seconds": seconds})
        told(key)
    return found


def table(found: Mapping[str, Sequence[Mapping[str, float]]], baseline: str) -> list[str]:
    """Returns the lines of a table: means, and differences to the baseline in the same scenes with Student's 95 % intervals."""
    lines = [f"| {' | '.join(['', *found[baseline][0]])} |", "|---" * (len(found[baseline][0]) + 1) + "|"]
    for name, entries in found.items():
        cells = [_cell(entries, found[baseline], measure, with_change=name != baseline) for measure in entries[0]]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(entries: Sequence[Mapping[str, float]], baseline: Sequence[Mapping[str, float]], measure: str, *, with_change: bool) -> str:
    mean = float(np.mean([entry[measure] for entry in entries]))
    if not with_change or measure == "seconds":
        return f"{mean:.4f}" if measure != "seconds" else f"{mean:.2f}"
    change = student_mean([entry[measure] - other[measure] for entry, other in zip(entries, baseline, strict=True)])
    if change is None or change.low is None or change.high is None:
        return f"{mean:.4f}"
    return f"{mean:.4f} ({change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}])"


def known_sides(scenes: Mapping[str, Scene], error: KnownError) -> dict[str, DepthEstimator]:
    """Returns what is compared: one size alone, a larger one alone, and what boosting makes of both, with and without patches."""
    estimator = KnownErrorEstimator(scenes, error)
    return {
        "usual size": estimator,
        "three times as large": estimator.at(3 * error.native_side),
        "boosted, no patches": BoostedEstimator(estimator, BoostOptions(patches=0)),
        "boosted": BoostedEstimator(estimator),
    }


def shipped_sides() -> dict[str, DepthEstimator]:
    """Returns the shipped network by itself and boosted."""
    from g3dr.depth.trained import NetworkEstimator  # noqa: PLC0415

    network = NetworkEstimator.shipped()
    return {
        "usual size": network,
        "three times as large": network.at(3 * network.side),
        "boosted, no patches": BoostedEstimator(network, BoostOptions(patches=0)),
        "boosted": BoostedEstimator(network),
    }


def _say(line: str, where: TextIO) -> None:
    where.write(line + "\n")


def main(words: Sequence[str]) -> None:
    """Prints the tables, and writes the figures if a file is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boosting", description=__doc__)
    parser.add_argument("--scenes", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=512)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--network", action="store_true", help="measure the shipped network instead of an estimator of known error")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(words)
    scenes = {f"{number}": make_scene(number, arguments.resolution, arguments.seed) for number in range(arguments.scenes)}
    sides = shipped_sides() if arguments.network else known_sides(scenes, KnownError())
    results = compare(sides, scenes, lambda key: _say(f"{key} of {len(scenes)}", sys.stderr))
    title = f"{sides['usual size'].identity()}, {len(scenes)} pictures of {arguments.resolution} pixels"
    _say("\n".join([title, "", *table(results, "usual size")]), sys.stdout)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
