"""The errors that a user may see. Each message is one sentence: what is wrong, where, and what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN_KEYS = 8


class G3drError(Exception):
    """Base of every error that is the input's or the environment's fault, not a defect of this program."""


class ConfigError(G3drError):
    """A configuration value that cannot be used.

    Args:
        path: Dotted path of the value, such as `objective.depth.form`.
        got: The value that was found.
        allowed: What would have been accepted, in words.
        hint: What to do about it, if there is more to say.
    """

    def __init__(self, path: str, got: object, allowed: str, hint: str = "") -> None:
        self.path, self.got, self.allowed, self.hint = path, got, allowed, hint
        super().__init__(f"{path}: got {got!r}, allowed: {allowed}" + (f" ({hint})" if hint else ""))


class DataError(G3drError):
    """Images, depth maps or folders that cannot be used as they are."""


class ShardError(DataError):
    """A damaged or changed shard; names its URI and, where known, the row group."""

    def __init__(self, uri: str, problem: str, row_group: int | None = None) -> None:
        self.uri, self.row_group = uri, row_group
        where = uri if row_group is None else f"{uri}, row group {row_group}"
        super().__init__(f"{where}: {problem}")


class CheckpointError(G3drError):
    """A checkpoint that is damaged or does not fit the model it is loaded into."""


class WeightsMissingError(G3drError):
    """Pretrained weights that are needed and not present; the message says what to fetch and where to put it."""


class BatchError(G3drError):
    """A batch that could not be trained on; trying again would end the same way.

    Args:
        sentence: What went wrong, at which step, and what helps.
        keys: The images of the batch, as far as this worker has them.
    """

    def __init__(self, sentence: str, keys: Iterable[str] = ()) -> None:
        self.sentence, self.keys = sentence, tuple(keys)
        super().__init__(sentence + (f" (batch: {_shortened(self.keys)})" if self.keys else ""))

    def __reduce__(self) -> "tuple[type[BatchError], tuple[str, tuple[str, ...]]]":
        return type(self), (self.sentence, self.keys)


def _shortened(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:_SHOWN_KEYS]) + (f" and {len(keys) - _SHOWN_KEYS} more" if len(keys) > _SHOWN_KEYS else "")


class NonFiniteLossError(BatchError):
    """A loss became NaN or infinite."""


class MemoryExceededError(BatchError):
    """A training step needed more memory than there is."""


def did_you_mean(got: str, allowed: Iterable[str]) -> str:
    """Returns `did you mean "x"?` for the closest allowed word, or an empty string."""
    close = get_close_matches(got, list(allowed), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""
