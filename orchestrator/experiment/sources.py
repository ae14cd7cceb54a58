"""What `from:` may say: a stage, `best of <stage>`, or a checkpoint."""

from dataclasses import dataclass
from typing import Literal

_BEST = "best of "
_CHECKPOINT = "checkpoint:"


@dataclass(frozen=True)
class Origin:
    """Where initial weights come from.

    Attributes:
        kind: The run of a stage, the best run of a stage, or a checkpoint outside of the experiment.
        name: The stage, or the checkpoint's path below the root or URI.
    """

    kind: Literal["stage", "best", "checkpoint"]
    name: str


def parse_origin(text: str) -> Origin:
    """Returns what `text` means; a stage's name has neither slash nor dot, a checkpoint's path has."""
    if text.startswith(_BEST):
        return Origin("best", text.removeprefix(_BEST).strip())
    if text.startswith(_CHECKPOINT) or "/" in text or "." in text:
        return Origin("checkpoint", text.removeprefix(_CHECKPOINT).strip())
    return Origin("stage", text)
