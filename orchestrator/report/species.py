"""The table of the report "Generative 3D Reconstruction From Images", measured so that it can be believed: species by recipe, then all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.report.cells import Cell, Column, Mark, Row, Table, number, words
from orchestrator.report.numbers import MISSING, decimal, interval_text, span, title_case
from orchestrator.report.records import Number, StageRun
from orchestrator.report.results import BASELINE_RECIPE, SpeciesRow, by_seed, per_image, told_apart
from orchestrator.report.statistics import Interval, mean_of, paired, student_mean
from orchestrator.report.tables import common_extractor, distribution_images, kernel_digits, named

ALL = "all species"
_DEPTH = (("depth_rmse", 3), ("depth_l2_normalized", 3))


@dataclass(frozen=True)
class PooledRow:
    """A recipe over all species of a grid.

    Attributes:
        recipe: Its name.
        images: Source images of all species.
        seeds: Trainings of each species.
        scores: Inception score of each seed, pooled over species; empty where the records do not hold what it needs.
        real_score: That of the real inputs; None likewise.
        metrics: Mean over species of each metric.
        against_baseline: Paired difference from the pre-trained model over all images.
        against_over_seeds: The same over seeds; empty for a single one.
    """

    recipe: str
    images: int
    seeds: int
    scores: Sequence[float]
    real_score: Number
    metrics: Mapping[str, Number]
    against_baseline: Mapping[str, Interval]
    against_over_seeds: Mapping[str, Interval]


def pooled_rows(rows: Sequence[SpeciesRow]) -> list[PooledRow]:
    """Pools the rows of each recipe that has more than one species."""
    by_recipe: dict[str, list[SpeciesRow]] = {}
    for row in rows:
        by_recipe.setdefault(row.recipe, []).append(row)
    base = by_recipe.get(BASELINE_RECIPE, [])
    return [_pooled(recipe, members, base) for recipe, members in by_recipe.items() if len(members) > 1]


def _pooled(recipe: str, rows: Sequence[SpeciesRow], base: Sequence[SpeciesRow]) -> PooledRow:
    runs = [run for row in rows for run in row.runs]
    is_base = recipe == BASELINE_RECIPE
    return PooledRow(
        recipe=recipe,
        images=sum(row.images for row in rows),
        seeds=min(len(row.runs) for row in rows),
        scores=[score for seed in sorted({run.seed for run in runs}) if (score := _score(_of_seed(rows, seed), "made")) is not None],
        real_score=_score([row.runs[0] for row in rows], "real"),
        metrics={name: mean_of([row.metrics.get(name) for row in rows]) for name in ("nfs", "nfs_truth", *(name for name, _ in _DEPTH))},
        against_baseline={} if is_base else _against(rows, base),
        against_over_seeds={} if is_base else _against_over_seeds(rows),
    )


def _of_seed(rows: Sequence[SpeciesRow], seed: int) -> list[StageRun]:
    return [run for row in rows for run in row.runs if run.seed == seed]


def _score(runs: Sequence[StageRun], which: str) -> float | None:
    """Inception score of the pictures of several runs together [Salimans et al., 2016]; None unless all of them kept the sums.

    What `ClassSums.compute` does, without torch, which the report does not load.
    """
    sums: list[Mapping[str, Any]] = [run.evaluation.classes[which] for run in runs if run.evaluation and which in run.evaluation.classes]
    if not sums or len(sums) != len(runs):
        return None
    count, certainty = sum(each["count"] for each in sums), sum(each["certainty"] for each in sums)
    marginal = np.sum([each["totals"] for each in sums], axis=0) / count
    known = marginal[marginal > 0]
    return float(np.exp(certainty / count - np.sum(known * np.log(known))))


def _against(rows: Sequence[SpeciesRow], base: Sequence[SpeciesRow]) -> dict[str, Interval]:
    origins = {row.species: row for row in base}
    found: dict[str, Interval] = {}
    for name, _ in _DEPTH:
        method: dict[str, Number] = {}
        baseline: dict[str, Number] = {}
        for row in rows:
            if row.species in origins:
                method |= per_image(row.runs, row.species, name)
                baseline |= per_image(origins[row.species].runs, row.species, name)
        interval = paired(method, baseline)
        if interval is not None:
            found[name] = interval
    return found


def _against_over_seeds(rows: Sequence[SpeciesRow]) -> dict[str, Interval]:
    """Averages each seed's differences over species first: the same seed is the same chance in every species."""
    found: dict[str, Interval] = {}
    for name, _ in _DEPTH:
        columns = [by_seed(row.runs, name) for row in rows]
        seeds = set.intersection(*(set(column) for column in columns)) if columns else set()
        bases = mean_of([_base_of(row, name) for row in rows])
        if len(seeds) > 1 and bases is not None:
            values = [float(np.mean([column[seed] for column in columns])) - bases for seed in sorted(seeds)]
            interval = student_mean(values)
            found |= {name: interval} if interval else {}
    return found


def _base_of(row: SpeciesRow, name: str) -> float | None:
    """The pre-trained model's value, as the row's own mean and difference tell it."""
    against, own = row.against_over_seeds.get(name), row.over_seeds.get(name)
    return own.mean - against.mean if own and against else None


def report_table(rows: Sequence[SpeciesRow]) -> Table:
    """Builds the table in the report's shape."""
    extractor = common_extractor(rows)
    columns = (
        Column("Species", numeric=False),
        Column("Recipe", numeric=False),
        Column("N", hint="source images"),
        Column("Seeds", hint="trainings; what is not trained has one"),
        Column(named("FD", extractor), "\u2193", "mean over seeds; under it the floor: real against real at the same N"),
        Column(named("KID", extractor), "\u2193", "mean over seeds, 95 % score interval over images, and the floor: real against real"),
        Column(
            named("IS", extractor),
            "\u2191",
            "pooled over species only; a score within one species says nothing; under it that of the inputs",
        ),
        Column("NFS", "", "non-flatness of the depth, 1 to 64; under it the truth's own, beyond which more is not better"),
        Column("Depth RMSE", "world units \u2193", "depth accuracy, input view; under it the 95 % interval over seeds"),
        Column(
            "Depth L2",
            "normalised \u2193",
            "depth accuracy after each map has zero mean and unit variance; under it the interval over seeds",
        ),
    )
    pooled = [Row(_pooled_cells(row), highlighted=True) for row in pooled_rows(rows)]
    return Table("Species by recipe", columns, [*(Row(_cells(row)) for row in rows), *pooled], name="species-by-recipe")


def _cells(row: SpeciesRow) -> list[Cell]:
    metric = row.metrics.get
    digits = kernel_digits(metric("kid"))
    kid = " ".join([span(metric("kid_low"), metric("kid_high"), digits), _beside("floor", metric("kid_floor"), digits)]).strip()
    return [
        words(row.species),
        words(title_case(row.recipe)),
        number(distribution_images(row), 0),
        number(len(row.runs), 0),
        number(metric("fd"), 1, _beside("floor", metric("fd_floor"), 1)),
        number(metric("kid"), digits, kid),
        Cell(MISSING, None, hint="only pooled over species"),
        number(metric("nfs"), 1, _beside("truth", metric("nfs_truth"), 1)),
        *(_depth_cell(row, name, digits, _over_seeds(row.over_seeds.get(name), digits)) for name, digits in _DEPTH),
    ]


def _beside(what: str, value: Number, digits: int) -> str:
    return "" if value is None else f"{what} {decimal(value, digits)}"


def _over_seeds(interval: Interval | None, digits: int) -> str:
    return span(interval.low, interval.high, digits) if interval else ""


def _depth_cell(row: SpeciesRow | PooledRow, name: str, digits: int, detail: str) -> Cell:
    told = told_apart(row.against_baseline.get(name), row.against_over_seeds.get(name))
    mark: Mark = "" if told is None else ("better" if told.mean < 0 else "worse")
    hint = "" if told is None else f"against pre-trained: {interval_text(told, digits, sign=True)}, paired over {told.count} images"
    return number(row.metrics.get(name), digits, detail, mark, hint)


def _pooled_cells(row: PooledRow) -> list[Cell]:
    score = student_mean(row.scores)
    beside = " ".join([_over_seeds(score, 2), _beside("inputs", row.real_score, 2)]).strip()
    return [
        words(ALL),
        words(title_case(row.recipe)),
        number(row.images, 0),
        number(row.seeds, 0),
        Cell(MISSING, None, hint="compare within a species"),
        Cell(MISSING, None, hint="compare within a species"),
        number(score.mean if score else None, 2, beside),
        number(row.metrics.get("nfs"), 1, _beside("truth", row.metrics.get("nfs_truth"), 1)),
        *(_depth_cell(row, name, digits, "") for name, digits in _DEPTH),
    ]


def report_words(rows: Sequence[SpeciesRow]) -> Iterator[str]:
    """Yields what the table lets one conclude of each recipe against the pre-trained model, and what it does not."""
    for row in pooled_rows(rows):
        if row.recipe != BASELINE_RECIPE and row.against_baseline:
            yield _depth_sentence(row)
    if any(_among_floors(row) for row in rows):
        names = ", ".join(f"{row.species} {title_case(row.recipe)}" for row in rows if _among_floors(row))
        yield f"KID cannot tell the views from real images at this N for: {names}."


def _depth_sentence(row: PooledRow) -> str:
    told = told_apart(row.against_baseline.get("depth_rmse"), row.against_over_seeds.get("depth_rmse"))
    if told is None:
        return f"Over all species, {title_case(row.recipe)} cannot be told apart from pre-trained by its depth error."
    change = "smaller" if told.mean < 0 else "larger"
    return (
        f"Over all species, the depth error of {title_case(row.recipe)} is {decimal(abs(told.mean), 3)} {change} than that of pre-trained: "
        f"{interval_text(told, 3, sign=True)}, paired over {told.count} images."
    )


def _among_floors(row: SpeciesRow) -> bool:
    low, floor = row.metrics.get("kid_low"), row.metrics.get("kid_floor")
    return low is not None and floor is not None and low <= floor
