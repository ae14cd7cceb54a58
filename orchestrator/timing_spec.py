"""What a timing stage measures: the recipes side by side, in turns, in one process."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from g3dr.config import ObjectiveConfig, TrainingConfig
from orchestrator.experiment.settings import checked


@dataclass(frozen=True)
class TimedRecipe:
    """One of the trainings that are timed.

    Attributes:
        name: Its name in the experiment.
        objective: Its losses.
        training: Its steps, whose number decides how often each kind of step comes.
    """

    name: str
    objective: ObjectiveConfig
    training: TrainingConfig


@dataclass(frozen=True)
class TimingSpec:
    """All that determines a timing, but the machine.

    Attributes:
        recipes: What is timed; the others are compared with the first.
        rounds: How often each is timed.
        seed: Seed of the orders.
    """

    recipes: tuple[TimedRecipe, ...]
    rounds: int
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and values."""
        record: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "TimingSpec":
        """Reads what `to_json` wrote."""
        return cls(tuple(map(_recipe, record["recipes"])), record["rounds"], record["seed"])


def _recipe(record: Mapping[str, Any]) -> TimedRecipe:
    settings = checked({name: record[name] for name in ("objective", "training")})
    return TimedRecipe(record["name"], settings.objective, settings.training)
