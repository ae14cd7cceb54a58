"""What an experiment does when processes die, machines vanish or a request finds no place."""

from typing import Annotated

from pydantic import Field

from orchestrator.experiment.data_spec import Strict

Count = Annotated[int, Field(strict=True, ge=0)]
Seconds = Annotated[float, Field(strict=True, ge=0)]


class FailureSpec(Strict):
    """What an experiment does about failures; nothing of it changes a result.

    Wrong input, a loss that is not finite and memory that does not suffice fail a run at once, with the keys of the batch: trying
    again would end the same way. What the environment does to a run is tried again, from its newest checkpoint.
    """

    retries: Count = Field(3, description="How often a run whose process died is tried again without having come any further.")
    preemptions: Count | None = Field(
        None, description="How often a run is tried again whose machine was taken away; null for as often as it takes."
    )
    backoff_seconds: Seconds = Field(2.0, description="Wait before the first retry; doubled with each further one, up to five minutes.")
    placement_seconds: Seconds = Field(
        3600.0, description="A run for which the cluster finds no place for so long is reported as failed, with what is missing."
    )
    fail_fast: bool = Field(
        default=False, description="Start no further run once one has failed, and stop those that run; they continue when run again."
    )
