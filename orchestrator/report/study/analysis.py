"""The part of the page that compares trainings over seeds: claims, effects, winners, interactions, times, curves."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.report.cells import Table
from orchestrator.report.numbers import counted
from orchestrator.report.plots import Panel, Panels
from orchestrator.report.records import Evaluation, Study
from orchestrator.report.study.arms import Comparison, comparisons
from orchestrator.report.study.charts import Difference, interval_chart
from orchestrator.report.study.claims import Claim, claims
from orchestrator.report.study.curves import form_panels
from orchestrator.report.study.effects import (
    Factor,
    effect_fields,
    effect_words,
    effects_table,
    factors,
    measures_of,
    winners_table,
)
from orchestrator.report.study.interactions import interaction_words, interactions, interactions_table
from orchestrator.report.study.measures import Measure
from orchestrator.report.study.times import Times, time_words, times_fields, times_table, timings

_CHARTED = ("novel_psnr", "novel_depth_rmse", "depth_rmse", "loss_clip_cosine", "loss_embedding_cosine")


@dataclass(frozen=True)
class Analysis:
    """What the page shows of sweeps over several seeds and of timings.

    Attributes:
        claims: The report's claims with their verdicts.
        tables: Effects, winners, interactions, times; only those with rows.
        charts: Differences with intervals, a measure each.
        curves: Training curves by loss form.
        conclusions: Sentences that the numbers support.
        cautions: What they do not support.
        fields: All of it for `summary.json`.
    """

    claims: Sequence[Claim]
    tables: Sequence[Table]
    charts: Sequence[Panel]
    curves: Sequence[Panels]
    conclusions: Sequence[str]
    cautions: Sequence[str]
    fields: dict[str, Any]


def analyse(study: Study) -> Analysis | None:
    """Returns the analysis of a study; None where nothing was tried with several seeds and nothing was timed."""
    found, times = comparisons(study), timings(study)
    alone, measures = factors(found), measures_of(found)
    judged = claims(study, found, alone, times)
    if not (alone or times or judged):
        return None
    together = interactions(found)
    return Analysis(
        claims=judged,
        tables=_tables(found, alone, measures, times),
        charts=[chart for measure in measures if measure.name in _CHARTED and (chart := _chart(alone, measure))],
        curves=form_panels(alone),
        conclusions=[
            *effect_words(alone, measures),
            *interaction_words(together, measures),
            *(sentence for each, _ in times for sentence in time_words(each)),
        ],
        cautions=list(_cautions(alone, measures)),
        fields={
            "claims": [asdict(claim) for claim in judged if not claim.timed],
            "effects": effect_fields(alone, measures),
            "seconds": {"claims": [asdict(claim) for claim in judged if claim.timed], "times": times_fields(times)},
        },
    )


def _tables(
    found: Sequence[Comparison], alone: Sequence[Factor], measures: Sequence[Measure], times: Sequence[tuple[Times, Evaluation]]
) -> list[Table]:
    built = [effects_table(alone, measures), winners_table(alone, measures), interactions_table(interactions(found), measures)]
    return [table for table in (*built, *(times_table(each) for each, _ in times)) if table.rows]


def _chart(alone: Sequence[Factor], measure: Measure) -> Panel | None:
    pairs = [(factor, arm) for factor in alone for arm in factor.arms[1:]]
    rows = [
        Difference(f"{factor.name}: {factor.value(arm)}", interval, measure.digits)
        for factor, arm in pairs
        if (interval := arm.against(factor.base, measure.name))
    ]
    title = f"difference in {measure.heading} from the experiment's own setting, with 95 % intervals over seeds"
    chart = interval_chart(
        rows, title=title, x_label=f"{measure.heading}, {measure.unit_text}: difference from the experiment's own setting"
    )
    return Panel(measure.heading, "against the experiment's own setting, paired by seed", chart) if chart else None


def _cautions(alone: Sequence[Factor], measures: Sequence[Measure]) -> Iterator[str]:
    pairs = [(factor, arm) for factor in alone for arm in factor.arms[1:]]
    if not pairs:
        return
    count, seeds = len(pairs) * len(measures), min(len(arm.runs) for _, arm in pairs)
    yield (
        f"Intervals are over {counted(seeds, 'seed')} that start from the same weights and are measured on the same images: they hold the "
        "chance of the training, not that of the images or of a pretraining."
    )
    yield (
        f"There are {count} differences from the experiment's own settings and no correction for their number: about one in twenty "
        "excludes zero by chance alone. Winners and verdicts are judged in wider intervals that hold together."
    )
    if any(factor.path.endswith(".form") for factor in alone):
        yield (
            "A form changes the size of a loss and of its gradient, as a weight does: a form that is better at one weight need not be at "
            "another."
        )
