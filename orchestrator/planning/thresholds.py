"""Above what time or cost `g3dr run` asks before it starts."""

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from g3dr.errors import ConfigError
from orchestrator.planning.durations import Span, parse_seconds, span_in_words
from orchestrator.planning.plan_records import Plan, cost_words

VARIABLE = "G3DR_ASK_ABOVE"
_ALLOWED = "a time or a cost, or both with a comma: `2 h`, `30 min`, `20 EUR`"


@dataclass(frozen=True)
class Threshold:
    """What a person is willing to start without being asked.

    Attributes:
        seconds: Time; infinite for any.
        cost: Money; infinite for any.
        currency: Of the money; empty where no cost was given.
    """

    seconds: float = math.inf
    cost: float = math.inf
    currency: str = ""

    def exceeded_by(self, plan: Plan) -> str:
        """Returns what of a plan is above the threshold, in words; empty if nothing is.

        What is not known counts as above: nobody was promised anything.

        Raises:
            ConfigError: The threshold is in another currency than the prices.
        """
        if all(stage.new == 0 for stage in plan.stages):
            return ""
        if self.currency and plan.currency not in ("", self.currency):
            raise ConfigError("--ask-above", self.currency, f"{plan.currency}, the currency of the prices")
        reasons = []
        if math.isfinite(self.seconds) and _is_above(plan.seconds, self.seconds):
            reasons.append(f"takes {span_in_words(plan.seconds)}" if plan.seconds else "takes nobody knows how long")
        if math.isfinite(self.cost) and _is_above(plan.cost, self.cost):
            reasons.append(
                f"costs {cost_words(plan.cost, plan.currency)}" if plan.cost else "costs nobody knows what (are there --prices?)"
            )
        return " and ".join(reasons)


def _is_above(span: Span | None, limit: float) -> bool:
    return span is None or span.high > limit


def read_threshold(texts: Iterable[str] | None = None) -> Threshold | None:
    """Returns the threshold that texts such as `2 h` and `20 EUR` mean; that of G3DR_ASK_ABOVE without any, None without that too.

    Raises:
        ConfigError: A text is neither a time nor a cost.
    """
    given = list(texts or ()) or [os.environ.get(VARIABLE, "")]
    parts = [part.strip() for text in given for part in text.split(",") if part.strip()]
    if not parts:
        return None
    seconds, cost, currency = math.inf, math.inf, ""
    for part in parts:
        time, money = parse_seconds(part), re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]{3})", part)
        if time is None and money is None:
            raise ConfigError("--ask-above", part, _ALLOWED)
        if time is not None:
            seconds = time
        elif money is not None:
            cost, currency = float(money[1]), money[2]
    return Threshold(seconds, cost, currency)
