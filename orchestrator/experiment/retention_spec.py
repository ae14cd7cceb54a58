"""How much of its checkpoints an experiment keeps."""

from typing import Annotated

from pydantic import AfterValidator, Field

from orchestrator.experiment.byte_sizes import ALLOWED, parse_bytes
from orchestrator.experiment.data_spec import Strict
from orchestrator.experiment.problems import problem


def _amount(text: str) -> str:
    try:
        parse_bytes(text)
    except ValueError:
        raise problem(text, ALLOWED) from None
    return text


class RetentionSpec(Strict):
    """Which checkpoints are kept; nothing of it changes a result.

    Never deleted are the last checkpoint of a run, any of a run that is the best of a stage, and any that another run starts from.
    """

    checkpoints: Annotated[int, Field(strict=True, ge=1)] = Field(2, description="The newest so many of each run.")
    budget: Annotated[str, AfterValidator(_amount)] | None = Field(
        None,
        description="Storage for all checkpoints of the experiment, such as 20 GB. Where they need more, the optimizer states of finished "
        "runs are deleted first, then older checkpoints, those of the oldest runs first; null sets no limit.",
        examples=["20 GB", "500 MB"],
    )

    @property
    def budget_bytes(self) -> int | None:
        """The budget in bytes."""
        return None if self.budget is None else parse_bytes(self.budget)
