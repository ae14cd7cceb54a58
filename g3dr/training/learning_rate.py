"""The learning rate (and Adam's beta1) as a pure function of the step: nothing to save, nothing to restore.

The one-cycle form is that of torch.optim.lr_scheduler.OneCycleLR with cosine annealing, a start at 1/25 of the peak
and an end at 1e-4 of the start [P].
"""

import math

from g3dr.config import TrainingConfig

START_DIVISOR = 25.0
END_DIVISOR = 1e4
BETA1_RANGE = (0.85, 0.95)


def _cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * fraction))


def _cycle(config: TrainingConfig, step: int, low: float, peak: float, end: float) -> float:
    """Goes from `low` to `peak` during warm-up, then to `end` at the last step."""
    warm_up = config.warm_up * config.steps - 1
    if step <= warm_up and warm_up > 0:
        return _cosine(low, peak, step / warm_up)
    rest = config.steps - 1 - warm_up
    return _cosine(peak, end, min(1.0, (step - warm_up) / rest)) if rest > 0 else peak


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Returns the learning rate of `step` (from 0)."""
    if config.schedule == "constant":
        return config.learning_rate
    start = config.learning_rate / START_DIVISOR
    return _cycle(config, step, start, config.learning_rate, start / END_DIVISOR)


def beta1(config: TrainingConfig, step: int) -> float:
    """Returns Adam's beta1 of `step`: constant, unless `cycle_momentum` asks for the authors' accidental cycle."""
    if not config.cycle_momentum or config.schedule == "constant":
        return config.betas[0]
    low, high = BETA1_RANGE
    return _cycle(config, step, high, low, high)
