"""Models without first weights, for those who load a checkpoint right away: drawing 147 million numbers takes seconds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode


class WithoutInitialization(TorchFunctionMode):
    """While it is entered, modules are made with whatever their memory holds: `torch.nn.init` does nothing."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Lets everything pass but the functions of `torch.nn.init`."""
        named = dict(kwargs or {})
        if getattr(function, "__module__", "") == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        return function(*args, **named)
