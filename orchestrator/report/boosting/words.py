"""Plain sentences about a study of boosting, made from its numbers."""

from collections.abc import Iterator, Sequence

from g3dr.depth.boosting.study import BOOSTED, LARGER, WITHOUT_PATCHES
from orchestrator.report.boosting.records import BASELINE, MEASURES, Measured
from orchestrator.report.numbers import counted, decimal, span
from orchestrator.report.statistics import LEAST_IMAGES, Interval

_NEAR = "near edges"


def opening(studies: Sequence[Measured]) -> str:
    """Returns the sentence under the title."""
    return " ".join(f"{_capital(study.name)}: {_verdict(study)}." for study in studies)


def _verdict(study: Measured) -> str:
    change = study.change(BOOSTED, _NEAR)
    if change is None or not change.excludes_zero:
        return f"no change of the error near edges can be told from {counted(study.pictures, 'picture')}"
    return f"boosting {_moved(study, _NEAR, change)} the error near edges"


def _moved(study: Measured, measure: str, change: Interval, baseline: str = BASELINE) -> str:
    part = decimal(100 * abs(change.mean) / study.mean(baseline, measure), 0)
    return f"takes {part} % off" if change.mean < 0 else f"adds {part} % to"


def conclusions(studies: Sequence[Measured]) -> list[str]:
    """Returns what the numbers support."""
    return [sentence for study in studies for sentence in (*_variant_words(study), *_patch_words(study))]


def _variant_words(study: Measured) -> Iterator[str]:
    for variant in (BOOSTED, LARGER):
        told = [_told(study, variant, measure, heading) for measure, heading, _ in MEASURES]
        yield f"{_capital(study.name)}, {variant}, against its usual size: {'; '.join(told)}."


def _told(study: Measured, variant: str, measure: str, heading: str) -> str:
    change = study.change(variant, measure)
    if change is None or change.low is None:
        return f"{heading.lower()} {decimal(study.mean(variant, measure), 4)}, of too few pictures for an interval"
    interval = f"{decimal(change.mean, 4)} {span(change.low, change.high, 4)}"
    if not change.excludes_zero:
        return f"{heading.lower()} no change can be told ({interval})"
    return f"{_moved(study, measure, change)} what is wrong {_where(heading)} ({interval})"


def _where(heading: str) -> str:
    return {"Everywhere": "everywhere", "Near edges": "near edges", "Wrong order": "in the order of outlines"}[heading]


def _patch_words(study: Measured) -> Iterator[str]:
    change = study.change(BOOSTED, _NEAR, WITHOUT_PATCHES)
    if change is None or change.low is None:
        return
    times = study.mean(BOOSTED, "seconds") / max(study.mean(WITHOUT_PATCHES, "seconds"), 1e-9)
    gain = _moved(study, _NEAR, change, WITHOUT_PATCHES) if change.excludes_zero else "change nothing that can be told of"
    verb = gain.replace("takes", "take").replace("adds", "add")
    yield (
        f"{_capital(study.name)}: the parts {verb} the error near edges that the merge of the whole picture leaves "
        f"({decimal(change.mean, 4)} {span(change.low, change.high, 4)}), and take {decimal(times, 1)} times as long."
    )


def cautions(studies: Sequence[Measured]) -> list[str]:
    """Returns what the numbers do not support."""
    fewest = min(study.pictures for study in studies)
    few = [f"With fewer than {LEAST_IMAGES} pictures no change is called one."] if fewest < LEAST_IMAGES else []
    return [
        *few,
        "The pictures are procedural animals, simpler than photographs: what holds for them need not hold there.",
        "Scale and shift of every map are fitted to the truth, which nobody knows of a photograph; only shapes are compared.",
        "Intervals are over these pictures. The comparisons are several and not corrected for their number.",
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
