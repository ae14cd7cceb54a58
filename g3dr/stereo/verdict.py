"""What the study says in words, made from its numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import t as student

from g3dr.stereo.measures import PUBLISHED, Measure, title
from g3dr.stereo.study import StudyResult

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over scenes with its 95 % interval.

    Attributes:
        mean: The mean.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """How the measures of the report do under a condition, each with its own window.

    Attributes:
        condition: Its name.
        best: The measure with the fewest wrong pixels.
        window: The window that it does best with, pixels.
        wrong: Its share of wrong pixels.
        behind: How much larger the share of each other measure is, in the same scenes.
    """

    condition: str
    best: Measure
    window: int
    wrong: Interval
    behind: dict[Measure, Interval]

    @property
    def equals(self) -> list[Measure]:
        """Other measures of the report that cannot be told from the best one: the interval of the difference holds zero."""
        return [measure for measure in PUBLISHED if measure in self.behind and self.behind[measure].low <= 0]


def interval(values: Float64[np.ndarray, "scene"]) -> Interval:
    """Returns Student's interval for the mean over scenes."""
    mean, spread = float(values.mean()), float(values.std(ddof=1)) / float(np.sqrt(values.size))
    reach = float(student.ppf((1 + _CONFIDENCE) / 2, values.size - 1)) * spread
    return Interval(mean, mean - reach, mean + reach)


def standings(result: StudyResult) -> list[Standing]:
    """Compares the measures under each condition."""
    return [_standing(result, index) for index in range(len(result.options.conditions))]


def _standing(result: StudyResult, index: int) -> Standing:
    shares = {measure: _with_own_window(result.wrong[index, place]) for place, measure in enumerate(result.measures)}
    best = min(PUBLISHED, key=lambda measure: shares[measure].mean())
    window = result.wrong[index, result.measures.index(best)].mean(-1).argmin()
    behind = {measure: interval(share - shares[best]) for measure, share in shares.items() if measure != best}
    return Standing(result.options.conditions[index].name, best, result.options.windows[window], interval(shares[best]), behind)


def _with_own_window(wrong: Float64[np.ndarray, "window scene"]) -> Float64[np.ndarray, "scene"]:
    """Returns the share of each scene with the window that is best in the other scenes: no scene chooses for itself."""
    others = wrong.sum(-1, keepdims=True) - wrong
    return np.asarray(np.take_along_axis(wrong, others.argmin(0)[None], axis=0)[0])


def sentence(standing: Standing) -> str:
    """Returns what one condition says, such as `noise 0.05: L1 is best, 12.3 % of the pixels wrong (window 9); ...`."""
    ends = f"{_percent(standing.wrong)} of the pixels wrong (window {standing.window})"
    order = sorted(standing.behind, key=lambda measure: standing.behind[measure].mean)
    others = "; ".join(f"{title(measure)} {_points(standing.behind[measure])}" for measure in order)
    return f"{standing.condition}: {title(standing.best)} {ends}; {others}"


def verdict(result: StudyResult) -> str:
    """Returns one sentence that answers which of the report's measures is best when, and what the zero-mean cosine changes."""
    groups: dict[str, list[str]] = {}
    for standing in (found := standings(result)):
        names = [title(standing.best), *map(title, standing.equals)]
        words = f"{names[0]} alone" if len(names) == 1 else f"{' and '.join(sorted(names))} alike"
        groups.setdefault(words, []).append(standing.condition)
    parts = [f"{words} ({'; '.join(conditions)})" for words, conditions in groups.items()]
    return f"Fewest wrong pixels of L1, L2 and cosine, each with its best window: {', '.join(parts)}. {_reference(found)}"


def _reference(found: list[Standing]) -> str:
    differences = {standing.condition: standing.behind["zero_mean_cosine"] for standing in found}
    better = [name for name, difference in differences.items() if difference.high < 0]
    worse = [name for name, difference in differences.items() if difference.low > 0]
    parts = [f"{word} than the best of them: {'; '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
    return f"Zero-mean cosine is {', '.join(parts)}." if parts else "Zero-mean cosine is no better and no worse than the best of them."


def _percent(share: Interval) -> str:
    return f"{100 * share.mean:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _points(difference: Interval) -> str:
    return f"{100 * difference.mean:+.1f} points [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
