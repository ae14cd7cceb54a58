"""Reads a checkpoint file that torch saved, as tensors and plain values only, and finds the generator in it.

Three layouts are known: G3DR's training files hold {step, model, opt, scheduler}, Lightning's hold the model under `state_dict`
with the network's attribute in front of every name, and a bare file holds named tensors and nothing else. Wrappers may have put
`module.` (data parallel) or `_orig_mod.` (compiled) in front of the names.
"""

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from g3dr.errors import CheckpointError

Layout = Literal["training", "lightning", "bare"]

NETWORK = "unet_model."
WRAPPERS = ("module.", "_orig_mod.", NETWORK)


@dataclass(frozen=True)
class PublishedFile:
    """What a file holds.

    Attributes:
        layout: How it is arranged.
        prefix: What stood in front of every parameter's name.
        step: Training steps that it says it has; 0 if it says nothing.
        model: The generator's tensors by published names, in the order of the file.
        optimizer: State of the optimizer as torch wrote it; None if there is none.
        others: Tensors of other networks that were left out.
    """

    layout: Layout
    prefix: str
    step: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Any] | None
    others: int


def _inert(*_: object) -> None:
    """Stands in for what a file may name but must not get."""


# Before 2024 torch's OneCycleLR put one of its functions into its state, as a call of getattr on its class. Published files have
# it. Reading with these names bound to a function that does nothing calls nothing of theirs, and loses nothing that is used.
_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_inert, "builtins.getattr"),
    (_inert, "torch.optim.lr_scheduler.OneCycleLR"),
]


def read_published(path: Path) -> PublishedFile:
    """Reads a file of any known layout; nothing in it is ever run.

    Raises:
        CheckpointError: It is missing, damaged, holds more than tensors and plain values, or no model in a known layout.
    """
    document = _read(path)
    if not isinstance(document, Mapping):
        raise CheckpointError(
            f"{path}: holds a {type(document).__name__}; allowed: {{step, model, ...}}, Lightning's file, or named tensors"
        )
    if isinstance(document.get("model"), Mapping):
        return _arranged(path, "training", document["model"], document.get("step"), document.get("opt"))
    if isinstance(document.get("state_dict"), Mapping):
        optimizers = document.get("optimizer_states") or [None]
        return _arranged(path, "lightning", document["state_dict"], document.get("global_step"), optimizers[0])
    if document and all(isinstance(value, Tensor) for value in document.values()):
        return _arranged(path, "bare", document, None, None)
    keys = ", ".join(sorted(str(key) for key in document)[:6]) or "nothing"
    raise CheckpointError(
        f"{path}: no model in it; found {keys}; allowed: {{step, model, ...}}, Lightning's state_dict, or named tensors alone"
    )


def _read(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch's restricted reader fails in many ways on bytes that are no pickle
        refused = re.search(r"GLOBAL (\S+)", str(error)) or re.search(r"unrecognized function (\S+)", str(error))
        if refused is None:
            raise CheckpointError(f"{path}: damaged, or not a file that torch saved") from error
        raise CheckpointError(
            f"{path}: holds code ({refused.group(1)}) beside tensors and plain values, and such a file is not read; save its model alone"
        ) from error


def _arranged(path: Path, layout: Layout, state: Mapping[str, Any], step: Any, optimizer: Any) -> PublishedFile:
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    chosen = _of_network(tensors)
    prefix = _common_prefix(list(chosen))
    if not chosen:
        raise CheckpointError(f"{path}: its model has no tensors")
    return PublishedFile(
        layout,
        prefix,
        int(step) if isinstance(step, int | float | Tensor) else 0,
        {name.removeprefix(prefix): value for name, value in chosen.items()},
        optimizer if isinstance(optimizer, Mapping) else None,
        len(tensors) - len(chosen),
    )


def _of_network(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keeps the generator where a file holds other networks too, such as those of the losses."""
    own = {name: value for name, value in tensors.items() if f".{NETWORK}" in f".{name}"}
    return own or dict(tensors)


def _common_prefix(names: Sequence[str]) -> str:
    prefix = ""
    while True:
        found = next((wrapper for wrapper in WRAPPERS if names and all(name.startswith(prefix + wrapper) for name in names)), None)
        if found is None:
            return prefix
        prefix += found
