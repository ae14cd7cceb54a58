"""How weights and chances change over a training: pure functions of the step [G3DR, section 4 and public training code].

`step` counts from 0; `steps` is the length of the training. A training of 0 steps counts as finished.
"""


def _fraction(step: int, steps: int) -> float:
    return step / steps if steps > 0 else 1.0


def ramp(start: float, end: float, step: int, steps: int, *, until: float) -> float:
    """Goes linearly from `start` at step 0 to `end` at the fraction `until` of the steps; before and after it stays what it is there."""
    return start + (end - start) * min(1.0, max(0.0, _fraction(step, steps) / until))


def opacity_factor(step: int, steps: int) -> float:
    """Factor of the opacity weight: 0 to 1 over the first half of the steps."""
    return ramp(0.0, 1.0, step, steps, until=1 / 2)


def semantic_factor(step: int, steps: int, start: float) -> float:
    """Factor of the semantic weights in the input view: 0 before the fraction `start` of the steps, then one half."""
    return 0.5 if step < steps and _fraction(step, steps) >= start else 0.0


def novel_chance(step: int, steps: int, highest: float) -> float:
    """Probability that a step renders a novel view: `2 * step / steps`, at most `highest`."""
    return min(highest, max(0.0, 2 * _fraction(step, steps)))


def novel_yaw_divisor(step: int, steps: int, divisors: tuple[float, float]) -> float:
    """The k of novel yaw in +-pi / k: from the first to the second divisor over the first third of the steps."""
    return ramp(divisors[0], divisors[1], step, steps, until=1 / 3)
