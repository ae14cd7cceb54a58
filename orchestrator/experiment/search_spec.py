"""What a sweep says about its search: the algorithm, what makes a trial better, and when one is ended early."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from orchestrator.experiment.data_spec import Strict
from orchestrator.experiment.problems import line_error, problem, raise_all
from orchestrator.experiment.scores import SCORES, Mode, Score, mode_of
from orchestrator.experiment.stopping_spec import AshaSpec, EarlyStoppingSpec

Count = Annotated[int, Field(strict=True, ge=1)]
WholeNumber = Annotated[int, Field(strict=True, ge=0)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Factor = Annotated[float, Field(strict=True, gt=0)]
Algorithm = Literal["grid", "random", "optuna", "nsga2", "population"]

_NEEDS_MANY_IMAGES: tuple[Score, ...] = ("fd", "kid", "inception_score")
_LARGEST_POPULATION = 50
_ONLY_POPULATION = ("generations", "quantile", "perturb")


class ObjectiveSpec(Strict):
    """One number that a search improves."""

    metric: Score = Field(description="The number.")
    mode: Mode | None = Field(None, description="Whether less or more is better; null knows it from the metric.")

    @property
    def direction(self) -> Mode:
        """`min` or `max`: what the file says, or what the metric means."""
        return self.mode or mode_of(self.metric)


class PerturbSpec(Strict):
    """How a member of a population that takes over another's weights changes the other's values."""

    factors: tuple[Factor, ...] = Field((0.8, 1.25), min_length=1, description="A number is multiplied by one of these.")
    resample: Share = Field(0.25, description="Probability that a value is drawn anew instead.")


class SearchSpec(Strict):
    """How a sweep chooses its trials."""

    algorithm: Algorithm = Field(
        "grid",
        description="Every combination in file order, random draws, Optuna's TPE, Optuna's NSGA-II for several objectives, "
        "or a population that trains on from its best.",
    )
    trials: Count | None = Field(None, description="Number of trials; a grid has all its combinations, a population its generations.")
    metric: Score = Field(
        "depth_rmse", description="What makes a trial better. Canonical PSNR alone is misleading: a lost depth can improve it."
    )
    mode: Mode | None = Field(None, description="Whether less or more is better; null knows it from the metric.")
    objectives: tuple[ObjectiveSpec, ...] | None = Field(
        None, min_length=1, description="Several numbers to improve, instead of `metric`; the first decides what `best of` means."
    )
    seed: WholeNumber = Field(0, description="Of the chance in the search; trainings have seeds of their own.")
    batch: Count = Field(2, description="Trials that Optuna proposes at once; a proposal knows all earlier batches.")
    early_stopping: EarlyStoppingSpec | None = Field(None, description="Ends runs that are behind the others.")
    asha: AshaSpec | None = Field(None, description="Short for `early_stopping` with the rule `asha`.")
    population: Annotated[int, Field(strict=True, ge=2)] | None = Field(
        None, description="Members of a generation, for `population` and `nsga2`; null lets nsga2 take an eighth of its trials, 4 to 50."
    )
    generations: Count | None = Field(None, description="How often a population trains on; each generation trains `training.steps`.")
    quantile: Annotated[float, Field(strict=True, gt=0, le=0.5)] | None = Field(
        None, description="Share of a population that takes over weights and values from the same share of best ones; null is 0.25."
    )
    perturb: PerturbSpec | None = Field(None, description="How values that were taken over are changed; null means the defaults.")

    @property
    def goals(self) -> tuple[ObjectiveSpec, ...]:
        """What is improved, the most important first."""
        return self.objectives or (ObjectiveSpec(metric=self.metric, mode=self.mode),)

    @property
    def stopping(self) -> EarlyStoppingSpec | None:
        """The early-stopping rule, whichever way the file says it."""
        if self.asha is None:
            return self.early_stopping
        return EarlyStoppingSpec(rule="asha", grace_steps=self.asha.grace_steps, reduction_factor=self.asha.reduction_factor)

    @property
    def learns(self) -> bool:
        """Whether later trials depend on the results of earlier ones."""
        return self.algorithm in ("optuna", "nsga2", "population")

    @property
    def wave(self) -> int | None:
        """How many trials are proposed at once; the next wait until these are over. None where none waits."""
        if not self.learns:
            return None
        return self.members if self.algorithm == "population" else self.batch

    @property
    def members(self) -> int:
        """Size of a generation."""
        return self.population or min(_LARGEST_POPULATION, max(4, (self.trials or 0) // 8))

    @model_validator(mode="before")
    @classmethod
    def _metric_is_the_first_objective(cls, document: Any) -> Any:
        """The metric of a search with objectives is the first of them, for all who look at one number only."""
        first = _first_objective(document)
        if first is None or "metric" in document or "mode" in document:
            return document
        return {**document, "metric": first.get("metric"), "mode": first.get("mode")}

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        found = [*self._problems_of_trials(), *self._problems_of_population(), *self._problems_of_objectives(), *self._problems_of_rungs()]
        raise_all("search", found)
        return self

    def _problems_of_trials(self) -> list[InitErrorDetails]:
        reasons = {"grid": "which runs every combination", "population": "which has population x generations trials"}
        if self.algorithm in reasons and self.trials is not None:
            allowed = f"null with algorithm {self.algorithm}, {reasons[self.algorithm]}"
            return [line_error(["trials"], None, problem(self.trials, allowed))]
        if self.algorithm not in reasons and self.trials is None:
            return [line_error(["trials"], None, problem(None, f"1 or more with algorithm {self.algorithm}"))]
        return []

    def _problems_of_population(self) -> list[InitErrorDetails]:
        """Its settings belong to it, and it needs them."""
        if self.algorithm == "population":
            lacks = [name for name in ("population", "generations") if getattr(self, name) is None]
            return [line_error([name], None, problem(None, "a whole number with algorithm population")) for name in lacks]
        given = [name for name in _ONLY_POPULATION if getattr(self, name) is not None]
        if self.population is not None and self.algorithm != "nsga2":
            given.insert(0, "population")
        allowed = f"null with algorithm {self.algorithm}, which has no generations that train on"
        return [line_error([name], None, problem(getattr(self, name), allowed)) for name in given]

    def _problems_of_objectives(self) -> list[InitErrorDetails]:
        metrics = [goal.metric for goal in self.goals]
        said, first = (self.metric, self.mode), self.goals[0]
        wrong = {
            "metric": (self.objectives and said not in {(first.metric, None), (first.metric, first.mode)}, "nothing beside objectives"),
            "objectives": (len(set(metrics)) < len(metrics), "every metric once"),
            "algorithm": (self.algorithm == "nsga2" and len(metrics) < 2, "optuna, or nsga2 with two objectives or more"),
            "population": (self.algorithm == "population" and len(metrics) > 1, "a population with one objective, by which it is ranked"),
        }
        got = {"metric": self.metric, "objectives": metrics, "algorithm": self.algorithm, "population": self.population}
        return [line_error([name], None, problem(got[name], allowed)) for name, (is_wrong, allowed) in wrong.items() if is_wrong]

    def _problems_of_rungs(self) -> list[InitErrorDetails]:
        if self.asha is not None and self.early_stopping is not None:
            return [line_error(["asha"], None, problem("asha", "null beside early_stopping, for which it is short"))]
        if self.stopping is None:
            return []
        if self.algorithm == "population":
            where = "early_stopping" if self.early_stopping else "asha"
            hint = "a generation waits for all its members"
            return [line_error([where], None, problem(where, "null with algorithm population", hint))]
        if self.metric not in _NEEDS_MANY_IMAGES:
            return []
        allowed = ", ".join(score for score in SCORES if score not in _NEEDS_MANY_IMAGES)
        hint = "early stopping compares runs on a few images, which say nothing about a distribution"
        return [line_error(["metric"], self.metric, problem(self.metric, allowed, hint))]


def _first_objective(document: Any) -> dict[str, Any] | None:
    """Reads the first objective of a search that may be at fault anywhere."""
    objectives = document.get("objectives") if isinstance(document, dict) else None
    first = objectives[0] if isinstance(objectives, list | tuple) and objectives else None
    return first if isinstance(first, dict) and first.get("metric") in SCORES else None
