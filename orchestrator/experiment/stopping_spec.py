"""What a sweep says about runs that are behind: where they are compared, and which of them end there."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.experiment.data_spec import Strict
from orchestrator.experiment.problems import line_error, problem, raise_all

Count = Annotated[int, Field(strict=True, ge=1)]
Reduction = Annotated[int, Field(strict=True, ge=2)]


class AshaSpec(Strict):
    """Stops trials early that are behind the others; which ones depends on timing."""

    grace_steps: Count = Field(description="Steps that every trial may do.")
    reduction_factor: Reduction = Field(3, description="One of so many goes on at each rung.")

    def rungs(self, steps: int) -> tuple[int, ...]:
        """Returns the steps, ascending, at which runs of `steps` steps are compared; each is `reduction_factor` times the one before."""
        return _multiplied(self.grace_steps, self.reduction_factor, steps)


class EarlyStoppingSpec(Strict):
    """Ends runs at rungs, steps at which all runs are measured on a few images; which ones end depends on timing.

    Sources: asha, Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020; median, Golovin et al.,
    "Google Vizier", KDD 2017, section 3.2.2, here with the value at a rung instead of the running average.
    """

    rule: Literal["asha", "median"] = Field(
        "asha", description="`asha` lets one of `reduction_factor` go on, `median` those that are not worse than the median of the others."
    )
    grace_steps: Count = Field(description="The first rung: steps that every run may do.")
    reduction_factor: Reduction | None = Field(
        None, description="asha: one of so many goes on at each rung, and each rung is so many times the one before; null is 3."
    )
    every: Count | None = Field(None, description="median: steps between rungs after the first; null is `grace_steps`.")
    least_others: Count | None = Field(None, description="median: nothing ends before so many others were at the rung; null is 3.")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        foreign = ("every", "least_others") if self.rule == "asha" else ("reduction_factor",)
        given = [name for name in foreign if getattr(self, name) is not None]
        allowed = f"null with rule {self.rule}"
        raise_all("early_stopping", [line_error([name], None, problem(getattr(self, name), allowed)) for name in given])
        return self

    @property
    def factor(self) -> int:
        """One of so many goes on at each rung of asha."""
        return self.reduction_factor or 3

    def rungs(self, steps: int) -> tuple[int, ...]:
        """Returns the steps, ascending, at which runs of `steps` steps are compared."""
        if self.rule == "asha":
            return _multiplied(self.grace_steps, self.factor, steps)
        return tuple(range(self.grace_steps, steps, self.every or self.grace_steps))


def _multiplied(first: int, factor: int, steps: int) -> tuple[int, ...]:
    found, step = [], first
    while step < steps:
        found.append(step)
        step *= factor
    return tuple(found)
