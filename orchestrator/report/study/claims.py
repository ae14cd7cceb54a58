"""What the report "Generative 3D Reconstruction From Images" claims of losses, held against this study's numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.report.numbers import interval_text
from orchestrator.report.records import Evaluation, StageRun, Study
from orchestrator.report.statistics import Interval, student_mean
from orchestrator.report.study.arms import Arm, Comparison
from orchestrator.report.study.effects import Factor, together
from orchestrator.report.study.times import Times, percent_text

Verdict = Literal["supported", "refuted", "cannot be told"]
_EMBEDDING = {"loss_clip": "CLIP distance", "loss_embedding": "distance of the embeddings"}
_OTHER_FORMS = ("l1", "l2")


@dataclass(frozen=True)
class Claim:
    """A claim and what the numbers say to it.

    Attributes:
        statement: What is claimed.
        verdict: Whether the intervals bear it out, contradict it, or do neither.
        figures: The numbers behind the verdict, each with its interval.
        note: How the verdict was reached, and what limits it.
        timed: Whether it is about measured times, which are others on every machine.
    """

    statement: str
    verdict: Verdict
    figures: Sequence[str]
    note: str
    timed: bool = False


def verdict_of(intervals: Iterable[Interval | None], *, below: bool, every: bool = False) -> Verdict:
    """Judges a claim by the differences that it speaks of.

    Args:
        intervals: The differences with their intervals; None counts as unknown.
        below: The claim is that they are below zero, else above.
        every: The claim is one about all of them at once, so that a single contradiction refutes it; otherwise a claim that holds for
            one and fails for another cannot be told.
    """
    signs = [_sign(interval, below=below) for interval in intervals]
    if not signs:
        return "cannot be told"
    if all(sign > 0 for sign in signs):
        return "supported"
    refuted = any(sign < 0 for sign in signs) and (every or not any(sign > 0 for sign in signs))
    return "refuted" if refuted else "cannot be told"


def _sign(interval: Interval | None, *, below: bool) -> int:
    if interval is None or not interval.excludes_zero:
        return 0
    return 1 if (interval.mean < 0) == below else -1


def claims(study: Study, found: Sequence[Comparison], factors: Sequence[Factor], times: Sequence[tuple[Times, Evaluation]]) -> list[Claim]:
    """Returns the claims that the study has numbers for."""
    made = (_cosine_claim(found), _smooth_claim(factors), _time_claim(times), _variation_claim(study))
    return [claim for claim in made if claim is not None]


# Cosine lowers the CLIP loss most


def _cosine_claim(found: Sequence[Comparison]) -> Claim | None:
    path = "objective.clip.form"
    comparison = next((each for each in found if path in each.paths), None)
    if comparison is None:
        return None
    term = next((term for term in _EMBEDDING if f"{term}_cosine" in comparison.metrics), None)
    arms = {str(arm.values[path]): arm for arm in comparison.varying(path)}
    others = [form for form in arms if form != "cosine"]
    if term is None or "cosine" not in arms or not others:
        return None
    figures = [_cosine_figure(arms["cosine"], arms[form], term, together(len(others))) for form in others]
    verdict = verdict_of((interval for interval, _ in figures), below=True, every=True)
    also = [f"in {form} {_in_form(arms, others, term, form)}" for form in _OTHER_FORMS if f"{term}_{form}" in comparison.metrics]
    measured = f"The {_EMBEDDING[term]} of novel views from the input image, 1 \u2212 cosine, on held-out images"
    return Claim(
        "Cosine lowers the CLIP loss most",
        verdict,
        [f"trained with cosine minus trained with {form}: {text}" for form, (_, text) in zip(others, figures, strict=True)],
        f"{measured}; the intervals hold together at 95 %. {_elsewhere(also)}{_stand_in(term)}".strip(),
    )


def _elsewhere(verdicts: Sequence[str]) -> str:
    return f"Measured in another form: {'; '.join(verdicts)}. " if verdicts else ""


def _cosine_figure(cosine: Arm, other: Arm, term: str, confidence: float) -> tuple[Interval | None, str]:
    interval = cosine.against(other, f"{term}_cosine", confidence)
    return interval, interval_text(interval, 4, sign=True)


def _in_form(arms: dict[str, Arm], others: Sequence[str], term: str, form: str) -> Verdict:
    confidence = together(len(others))
    intervals = [arms["cosine"].against(arms[other], f"{term}_{form}", confidence) for other in others]
    return verdict_of(intervals, below=True, every=True)


def _stand_in(term: str) -> str:
    return "" if term == "loss_clip" else "The network is a stand-in, not CLIP: what holds for it need not hold for CLIP."


# Smooth L1 beats L1


def _smooth_claim(factors: Sequence[Factor]) -> Claim | None:
    judged = {row: _smooth_interval(factors, row.path, row.metric, together(len(_SMOOTH))) for row in _SMOOTH}
    known = {row: interval for row, interval in judged.items() if interval is not None}
    if not known:
        return None
    # All turned so that below zero is better: one rule judges them.
    verdict = verdict_of([_negated(interval) if row.more_is_better else interval for row, interval in known.items()], below=True)
    return Claim(
        "Smooth L1 beats L1",
        verdict,
        [row.text(interval) for row, interval in known.items()],
        "Trained with smooth L1 minus trained with L1, paired by seed; the intervals hold together at 95 %. Supported if all of them are "
        "better, refuted if one is worse and none better.",
    )


@dataclass(frozen=True)
class _Judged:
    """What smooth L1 in one term is judged by."""

    term: str
    path: str
    metric: str
    heading: str
    digits: int
    more_is_better: bool

    def text(self, interval: Interval) -> str:
        better = "more" if self.more_is_better else "less"
        return f"in {self.term}, {self.heading}: {interval_text(interval, self.digits, sign=True)} ({better} is better)"


_SMOOTH = (
    _Judged("colour", "objective.rgb.form", "novel_psnr", "novel views, dB", 2, more_is_better=True),
    _Judged("colour", "objective.rgb.form", "canonical_psnr", "input view, dB", 2, more_is_better=True),
    _Judged("depth", "objective.depth.form", "novel_depth_rmse", "novel depth, RMSE", 4, more_is_better=False),
    _Judged("depth", "objective.depth.form", "depth_rmse", "input depth, RMSE", 4, more_is_better=False),
)


def _smooth_interval(factors: Sequence[Factor], path: str, metric: str, confidence: float) -> Interval | None:
    for factor in factors:
        arms = {str(arm.values[factor.path]): arm for arm in factor.arms} if factor.path == path else {}
        if "smooth_l1" in arms and "l1" in arms:
            return arms["smooth_l1"].against(arms["l1"], metric, confidence)
    return None


def _negated(interval: Interval) -> Interval:
    low, high = interval.low, interval.high
    return Interval(-interval.mean, None if high is None else -high, None if low is None else -low, interval.count, interval.least)


# L2 costs more time


def _time_claim(times: Sequence[tuple[Times, Evaluation]]) -> Claim | None:
    found = [(each, each.ratio("l2", "l1", evaluation.seconds)) for each, evaluation in times]
    known = [(each, interval) for each, interval in found if interval is not None]
    if not known:
        return None
    verdict = verdict_of((interval for _, interval in known), below=False)
    return Claim(
        "L2 costs more time",
        verdict,
        [f"a step with every term as L2 against L1: {percent_text(interval)}" for _, interval in known],
        f"{_bound(known[0][1], verdict)}Timed in turns in one process (on a processor by its own time), {known[0][0].rounds} rounds, "
        "median of the ratios within a round.",
        timed=True,
    )


def _bound(interval: Interval, verdict: Verdict) -> str:
    if verdict != "cannot be told" or interval.low is None or interval.high is None:
        return ""
    return f"If there is a difference, it is at most {100 * max(abs(interval.low), abs(interval.high)):.2f} % (95 %). "


# Total variation is lower after the optimised recipe


def _variation_claim(study: Study) -> Claim | None:
    runs = [run for stage in study.of_kind("grid") for run in stage.runs if run.state == "finished" and run.evaluation]
    against = {name: _variation_difference(runs, "optimized", name, together(2)) for name in ("fine_tuned", "pre_trained")}
    known = {name: interval for name, interval in against.items() if interval is not None}
    if not known:
        return None
    return Claim(
        "TV is lower after the optimised recipe",
        verdict_of(known.values(), below=True),
        [f"optimized minus {name.replace('_', '-')}: {interval_text(interval, 5, sign=True)}" for name, interval in known.items()],
        "Total variation of the depth of novel views (L2), held-out images, mean over species, paired by seed. Less is not better by "
        "itself: a flat depth has none.",
    )


def _variation_difference(runs: Sequence[StageRun], recipe: str, other: str, confidence: float) -> Interval | None:
    mine, theirs = _by_cell(runs, recipe), _by_cell(runs, other)
    by_seed: dict[int, list[float]] = {}
    for (species, seed), value in mine.items():
        # What is not trained has one run for all seeds.
        beside = theirs.get((species, seed), _only(theirs, species))
        if beside is not None:
            by_seed.setdefault(seed, []).append(value - beside)
    complete = max((len(values) for values in by_seed.values()), default=0)
    means = [sum(values) / len(values) for values in by_seed.values() if len(values) == complete]
    return student_mean(means, confidence)


def _by_cell(runs: Sequence[StageRun], recipe: str) -> dict[tuple[str, int], float]:
    found = {
        (run.species or "", run.seed): run.evaluation.metrics.get("loss_tv_l2") for run in runs if run.recipe == recipe and run.evaluation
    }
    return {cell: value for cell, value in found.items() if value is not None}


def _only(cells: dict[tuple[str, int], float], species: str) -> float | None:
    found = [value for (name, _), value in cells.items() if name == species]
    return found[0] if len(found) == 1 else None
