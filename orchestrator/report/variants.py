"""Trainings side by side: stages that measured other runs of the same seeds on the same images, against the first of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.report.cells import Cell, Column, Row, Table, number, words
from orchestrator.report.collect import read_pictures
from orchestrator.report.numbers import interval_text, title_case
from orchestrator.report.pictures import Sheet, parts_sheet
from orchestrator.report.records import Number, Stage, StageRun, Study
from orchestrator.report.results import Headline, by_seed
from orchestrator.report.statistics import Interval, mean_of, student_mean
from orchestrator.store import Store

METRICS = (
    ("novel_psnr", 2, "Novel views", "PSNR, dB \u2191"),
    ("novel_depth_rmse", 3, "Novel depth", "RMSE \u2193"),
    ("depth_rmse", 3, "Input depth", "RMSE \u2193"),
    ("canonical_psnr", 2, "Input view", "PSNR, dB \u2191"),
)


@dataclass(frozen=True)
class Variant:
    """The measured runs of one stage among several.

    Attributes:
        stage: Its name.
        runs: The runs, one a seed.
        metrics: Name to the mean over seeds.
        against: Name to the mean difference from the first stage, paired by seed, with its interval over seeds; empty for the first.
        seconds_per_step: Mean over seeds of the median time of a step.
    """

    stage: str
    runs: Sequence[StageRun]
    metrics: Mapping[str, Number]
    against: Mapping[str, Interval]
    seconds_per_step: Number


def variants(study: Study) -> list[Variant]:
    """Returns the stages that can be compared with the first that measured whole trainings, that one first; empty if there is none.

    Comparable are other runs that share a seed with its runs and were measured on the same images.
    """
    stages = [stage for stage in study.of_kind("train", "evaluate") if _measured(stage)]
    found: list[Stage] = []
    for stage in stages:
        if not found or (_is_comparable(stage, stages[0]) and not any(_runs(stage) & _runs(other) for other in found)):
            found.append(stage)
    return [_variant(stage, _measured(found[0])) for stage in found] if len(found) > 1 else []


def _measured(stage: Stage) -> list[StageRun]:
    return [run for run in stage.runs if run.state == "finished" and run.evaluation]


def _runs(stage: Stage) -> set[str]:
    return {run.run for run in _measured(stage)}


def _is_comparable(stage: Stage, first: Stage) -> bool:
    """Whether two stages share a seed and were measured in the same way."""
    seeds = {run.seed for run in _measured(stage)} & {run.seed for run in _measured(first)}
    measurements = [run.evaluation.spec for run in (*_measured(stage), *_measured(first)) if run.evaluation]
    return bool(seeds) and all(spec == measurements[0] for spec in measurements)


def _variant(stage: Stage, first: Sequence[StageRun]) -> Variant:
    runs = _measured(stage)
    against = {name: student_mean(_differences(name, runs, first)) for name, *_ in METRICS} if runs != first else {}
    return Variant(
        stage=stage.name,
        runs=runs,
        metrics={name: mean_of(list(by_seed(runs, name).values())) for name, *_ in METRICS},
        against={name: interval for name, interval in against.items() if interval},
        seconds_per_step=mean_of([run.seconds_per_step for run in runs]),
    )


def _differences(metric: str, runs: Sequence[StageRun], first: Sequence[StageRun]) -> list[float]:
    baseline = by_seed(first, metric)
    return [value - baseline[seed] for seed, value in by_seed(runs, metric).items() if seed in baseline]


def variants_table(found: Sequence[Variant]) -> Table:
    """Builds the table of variants: each metric with its paired difference from the first under it."""
    baseline = found[0].stage if found else ""
    against = f"small: difference from {baseline}, paired by seed, with its 95 % interval over seeds (Student)"
    columns = (
        Column("Stage", numeric=False),
        Column("Seeds"),
        *(Column(heading, unit, against) for _, _, heading, unit in METRICS),
        Column("Time", "s a step \u2193", "median over the logged windows, on the machine that ran it"),
    )
    return Table("Trainings side by side", columns, [Row(_cells(variant)) for variant in found])


def _cells(variant: Variant) -> list[Cell]:
    return [
        words(title_case(variant.stage)),
        number(len(variant.runs), 0),
        *(number(variant.metrics[name], digits, detail=_against(variant, name, digits)) for name, digits, *_ in METRICS),
        number(variant.seconds_per_step, 3),
    ]


def _against(variant: Variant, name: str, digits: int) -> str:
    interval = variant.against.get(name)
    return interval_text(interval, digits, sign=True) if interval else ""


def variants_fields(found: Sequence[Variant]) -> list[dict[str, object]]:
    """Returns the variants for `summary.json`."""
    return [
        {
            "stage": variant.stage,
            "runs": [run.run for run in variant.runs],
            **variant.metrics,
            "against_first": {name: [each.mean, each.low, each.high] for name, each in variant.against.items()},
            "seconds_per_step": variant.seconds_per_step,
        }
        for variant in found
    ]


def parts_sheets(store: Store, study: Study, head: Headline | None) -> list[Sheet]:
    """Returns the part pictures of every stage that measured a model with semantics, except of the run that the page opens with."""
    shown = head.run.run if head else None
    runs = [(stage.name, next(iter(_measured(stage)), None)) for stage in study.of_kind("train", "evaluate")]
    found = [(name, read_pictures(store, run.evaluation)) for name, run in runs if run and run.evaluation and run.run != shown]
    sheets = [parts_sheet(pictures, f"Stage {name}") for name, pictures in found if pictures]
    return [sheet for sheet in sheets if sheet is not None]
