"""What depends on parameters alone, kept from one image to the next while nobody trains.

Under `torch.inference_mode` no gradient can be asked for, so filters that were standardised, merged or transformed for one image
serve the next. A value is kept as long as the tensors it was made from are the same objects, with the same memory and the same
version counter, which `load_state_dict` and every in-place operation of PyTorch raises. Fused optimizers do not raise it; but
they need gradients: nothing is kept of a parameter that has one, and a forward pass with gradients forgets everything. So does
moving the module.

What PyTorch itself cannot see is not seen here either: writing into `parameter.data`, or through a NumPy array that shares
memory, without a forward pass with gradients before the next inference. Call `forget_constants` of the network then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class _Source:
    """A tensor as it was when something was made from it.

    Attributes:
        tensor: The tensor itself; held, so that no other takes its place in memory.
        memory: Its memory at that time, held for the same reason: `parameter.data = other` changes the memory of a tensor.
        version: PyTorch's count of in-place changes; None for tensors of inference mode, which this project never changes in place.
    """

    tensor: Tensor
    memory: Tensor
    version: int | None

    @classmethod
    def of(cls, tensor: Tensor) -> "_Source":
        return cls(tensor, tensor.detach(), _version(tensor))

    def is_unchanged(self, tensor: Tensor) -> bool:
        same = tensor is self.tensor and tensor.data_ptr() == self.memory.data_ptr()
        return same and tensor.dtype == self.memory.dtype and tensor.device == self.memory.device and _version(tensor) == self.version


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def _is_settled(tensor: Tensor) -> bool:
    """Returns whether no change is near, and would be noticed; a parameter made in inference mode has no version counter."""
    return not isinstance(tensor, nn.Parameter) or (tensor.grad is None and not tensor.is_inference())


def are_kept(sources: Sequence[Tensor]) -> bool:
    """Returns whether what is made from `sources` is kept now: in inference mode, unless a compiler is looking."""
    inference = torch.is_inference_mode_enabled() and not torch.compiler.is_compiling()
    return inference and all(_is_settled(source) for source in sources)


class Constants:
    """The constants of one module; copies and pickles of it are empty."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[_Source, ...], torch.dtype, Tensor]] = {}

    def get(self, name: str, sources: Sequence[Tensor], make: Callable[[], Tensor], dtype: torch.dtype = torch.float32) -> Tensor:
        """Returns what `make` returns, or what it returned before if no source has changed.

        Args:
            name: Distinguishes the constants of a module.
            sources: All tensors that `make` reads.
            make: Makes the constant.
            dtype: In which the constant is kept, computed in float32; where nothing is kept, the result is as `make` made it.
        """
        if torch.compiler.is_compiling():
            return make()
        if not are_kept(sources):
            self.forget()
            return make()
        found = self._find(name, sources, dtype)
        if found is None:
            with torch.autocast(sources[0].device.type, enabled=False):
                found = make().to(dtype)
            self._kept[name] = (tuple(_Source.of(source) for source in sources), dtype, found)
        return found

    def _find(self, name: str, sources: Sequence[Tensor], dtype: torch.dtype) -> Tensor | None:
        if name not in self._kept:
            return None
        before, kept_dtype, value = self._kept[name]
        same = dtype == kept_dtype and len(before) == len(sources)
        return value if same and all(source.is_unchanged(now) for source, now in zip(before, sources, strict=True)) else None

    def forget(self) -> None:
        """Drops everything that is kept."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def __deepcopy__(self, memo: object) -> "Constants":
        return Constants()

    def __reduce__(self) -> tuple[type["Constants"], tuple[()]]:
        return Constants, ()


def forget_constants(module: nn.Module) -> None:
    """Drops the constants of a module and of all modules in it."""
    for part in module.modules():
        constants = getattr(part, "constants", None)
        if isinstance(constants, Constants):
            constants.forget()
