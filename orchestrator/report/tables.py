"""The page's tables: stages, species by recipe, trials, runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.report.cells import Cell, Column, Mark, Row, Table, number, words
from orchestrator.report.numbers import MISSING, counted, decimal, duration, interval_text, span, title_case
from orchestrator.report.plots import short_path, value_text
from orchestrator.report.records import Stage, StageRun, Study
from orchestrator.report.results import BASELINE_RECIPE, SpeciesRow
from orchestrator.report.winners import Winner, most_of, winner_of

_WHO = (
    Column("Species", numeric=False),
    Column("Recipe", numeric=False),
    Column("N", hint="source images, the same for every recipe of a species"),
)


def views_table(rows: Sequence[SpeciesRow]) -> Table:
    """Builds the table of view quality, depth and flatness."""
    columns = (
        *_WHO,
        Column("Novel views", "PSNR, dB \u2191", "true novel views, covisible pixels only, mean over images"),
        Column("Copying the input", "PSNR, dB", "the input image shown in place of each novel view, same pixels: what any model must beat"),
        Column("Against pre-trained", "dB, 95 %", "paired difference of the novel views with its bootstrap interval over images"),
        Column("Input view", "PSNR, dB \u2191", "the input image reconstructed from the planes"),
        Column("Depth RMSE", "world units \u2193", "input view; the box is 2 units deep"),
        Column("Depth L2", "normalised \u2193", "mean squared difference after each map has zero mean and unit variance"),
        Column("NFS", "", "non-flatness score of the depth, 1 to 64; more is not better beyond the truth's own"),
        Column("NFS of truth", "", "the same score of the true depth"),
    )
    return Table("View quality and depth by species and recipe", columns, [Row(_views_cells(row)) for row in rows])


def _who_cells(row: SpeciesRow) -> list[Cell]:
    states = sorted({run.state for run in row.runs} - {"finished"})
    return [words(row.species), words(title_case(row.recipe), detail=", ".join(states)), number(row.images, 0)]


def _views_cells(row: SpeciesRow) -> list[Cell]:
    metric = row.metrics.get
    against = row.against_baseline.get("novel_psnr")
    return [
        *_who_cells(row),
        _marked(row, "novel_psnr", 2),
        number(metric("copy_input_psnr")),
        Cell(interval_text(against, sign=True), against.mean if against else None),
        _marked(row, "canonical_psnr", 2),
        _marked(row, "depth_rmse", 3, lower_is_better=True),
        number(metric("depth_l2_normalized"), 3),
        number(metric("nfs"), 1),
        number(metric("nfs_truth"), 1),
    ]


def _marked(row: SpeciesRow, name: str, digits: int, *, lower_is_better: bool = False) -> Cell:
    interval = row.told(name)
    if interval is None:
        return number(row.metrics.get(name), digits)
    mark: Mark = "better" if (interval.mean < 0) == lower_is_better else "worse"
    return number(
        row.metrics.get(name),
        digits,
        mark=mark,
        hint=f"against pre-trained: {interval_text(interval, digits, sign=True)}, paired over {interval.count} images",
    )


def distribution_table(rows: Sequence[SpeciesRow]) -> Table:
    """Builds the table of feature distances, each beside its floor."""
    extractor = common_extractor(rows)
    columns = (
        *_WHO,
        Column(
            named("KID", extractor),
            "95 % \u2193",
            "unbiased kernel distance of image features; score interval over source images",
        ),
        Column(
            "KID floor",
            "",
            "real images of other individuals in place of the rendered ones, at the same N: nothing can be told apart below this",
        ),
        Column(
            named("FD", extractor),
            "\u2193",
            "Frechet distance of image features; strongly biased at small N, compare only at equal N and beside its floor",
        ),
        Column("FD floor", "", "real against real at the same N"),
        Column("Precision", "\u2191", "share of rendered views that lie among the real images, in feature space; under it the floor"),
        Column("Recall", "\u2191", "share of real images that the rendered views reach, in feature space; under it the floor"),
        *(() if extractor else (Column("Extractor", numeric=False),)),
    )
    return Table(
        "Distance between rendered and real images", columns, [Row(_distribution_cells(row, show_extractor=not extractor)) for row in rows]
    )


def common_extractor(rows: Sequence[SpeciesRow]) -> str:
    """Returns the network that all rows were measured with; empty if there are several, or none."""
    names = {row.extractor for row in rows if row.extractor}
    return names.pop() if len(names) == 1 else ""


def named(metric: str, extractor: str) -> str:
    """Returns a metric's name with its extractor; only Inception's Frechet distance may be called FID, and its score IS."""
    if "inception" in extractor:
        return {"FD": "FID"}.get(metric, metric)
    return f"{metric} ({extractor})" if extractor else metric


def _distribution_cells(row: SpeciesRow, *, show_extractor: bool) -> list[Cell]:
    metric = row.metrics.get
    digits = kernel_digits(metric("kid"))
    return [
        *_who_cells(row)[:2],
        number(distribution_images(row), 0),
        number(metric("kid"), digits, detail=span(metric("kid_low"), metric("kid_high"), digits)),
        number(metric("kid_floor"), digits),
        number(metric("fd"), 1),
        number(metric("fd_floor"), 1),
        number(metric("precision"), 2, _floor(metric("precision_floor"))),
        number(metric("recall"), 2, _floor(metric("recall_floor"))),
        *([words(row.extractor)] if show_extractor else []),
    ]


def _floor(value: float | None) -> str:
    return "" if value is None else f"real {decimal(value, 2)}"


def distribution_images(row: SpeciesRow) -> int:
    """Returns how many source images the distances compare: fewer than were rendered where these had to serve as the reference too."""
    return int(row.metrics.get("distribution_images") or row.images)


def kernel_digits(value: float | None) -> int:
    """Returns decimals that show a KID, which is 0.01 with one extractor and 10 with another."""
    return 4 if value is None or abs(value) < 1 else 2


# Metric, digits, heading, unit: what every trial of a sweep shows, as far as it is known.
_TRIAL_METRICS = (
    ("novel_psnr", 2, "Novel views", "PSNR, dB \u2191"),
    ("copy_input_psnr", 2, "Copying the input", "PSNR, dB"),
    ("novel_depth_rmse", 3, "Novel depth", "RMSE \u2193"),
    ("depth_rmse", 3, "Input depth", "RMSE \u2193"),
    ("canonical_psnr", 2, "Input view", "PSNR, dB \u2191"),
)


def trial_table(stage: Stage) -> Table:
    """Builds the table of a sweep's trials, the best one highlighted."""
    axes = list(dict.fromkeys(path for run in stage.runs for path in run.assignment))
    shown = list(_TRIAL_METRICS)
    if stage.metric and stage.metric not in [name for name, *_ in shown]:
        shown.insert(0, (stage.metric, 4, stage.metric, "\u2193" if stage.mode == "min" else "\u2191"))
    columns = [
        *(Column(short_path(path), path, numeric=_numeric_axis(stage, path)) for path in axes),
        *(Column(heading, unit, _ranking(stage, name)) for name, _, heading, unit in shown),
        Column("Time", "s a step \u2193", "median over the logged windows, on the machine named below"),
        Column("State", numeric=False),
    ]
    rows = [Row(_trial_cells(run, axes, shown), highlighted=run.run == stage.best) for run in stage.runs]
    return Table(f"Trials of {stage.name}", columns, rows)


def _ranking(stage: Stage, name: str) -> str:
    return "the sweep is ranked by this" if name == stage.metric else ""


def _numeric_axis(stage: Stage, path: str) -> bool:
    return all(isinstance(run.assignment.get(path), int | float) for run in stage.runs)


def _trial_cells(run: StageRun, axes: Sequence[str], shown: Sequence[tuple[str, int, str, str]]) -> list[Cell]:
    metrics: Mapping[str, float] = run.evaluation.metrics if run.evaluation else {}
    return [
        *(_setting(run.assignment.get(path)) for path in axes),
        *(number(metrics.get(name), digits) for name, digits, *_ in shown),
        number(run.seconds_per_step, 3),
        words(run.state, detail=run.error or ""),
    ]


def _setting(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(value_text(value), float(value))
    return words("" if value is None else value_text(value))


def stage_table(study: Study) -> Table:
    """Builds the table of stages: what was run, and how long it took."""
    columns = (
        Column("Stage", numeric=False),
        Column("Kind", numeric=False),
        Column("Runs"),
        Column("States", numeric=False),
        Column("Time"),
        Column("Best", numeric=False),
    )
    return Table("Stages", columns, [Row(_stage_cells(stage)) for stage in study.stages])


def _stage_cells(stage: Stage) -> list[Cell]:
    states = [run.state for run in stage.runs]
    best = winner_of(stage)
    summary = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))) if stage.done else "not done yet"
    time = Cell(duration(stage.seconds) if stage.done else MISSING, stage.seconds if stage.done else None)
    return [
        words(stage.name),
        words(stage.kind),
        number(len(stage.runs), 0),
        words(summary),
        time,
        words(best.name, detail=_ranked_by(stage, best)) if best else words(""),
    ]


def _ranked_by(stage: Stage, best: Winner) -> str:
    return ", ".join(filter(None, [f"{most_of(stage)} {stage.metric}", best.averaged])) if stage.metric else ""


def run_table(study: Study) -> Table:
    """Builds the list of all runs with their ids, failed ones with their reason."""
    columns = (
        Column("Run", numeric=False),
        Column("Stage", numeric=False),
        Column("What", numeric=False),
        Column("Seed"),
        Column("Steps"),
        Column("Time"),
        Column("State", numeric=False),
    )
    rows = [Row(_run_cells(stage, run)) for stage in study.stages for run in stage.runs]
    return Table(counted(len(rows), "run"), columns, rows)


def _run_cells(stage: Stage, run: StageRun) -> list[Cell]:
    return [
        words(run.run),
        words(stage.name),
        words(_what(run)),
        number(run.seed, 0),
        number(run.step, 0),
        Cell(duration(run.seconds), run.seconds),
        words(run.state, detail=run.error or ""),
    ]


def _what(run: StageRun) -> str:
    if run.species:
        return f"{run.species}, {title_case(run.recipe or '')}"
    return run.label


def seeds_of(rows: Sequence[SpeciesRow]) -> int:
    """Returns the smallest number of seeds behind a row that was trained."""
    return min((len(row.runs) for row in rows if row.recipe != BASELINE_RECIPE), default=1)
