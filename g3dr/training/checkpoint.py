"""Checkpoints: safetensors for the arrays, JSON for the rest, checksums over all; nothing is ever unpickled.

A checkpoint is three files. `checkpoint.json` names the others with their sizes and SHA-256 and is written last, so a
half-written checkpoint is one whose JSON is missing.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from g3dr.config import ModelConfig
from g3dr.errors import CheckpointError
from g3dr.training.adam import Adam
from g3dr.training.layout import INDEX, MODEL, OPTIMIZER
from g3dr.training.recorded_config import config_from_json, config_to_json

FORMAT = 1

CheckpointFiles = Mapping[str, bytes]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        step: Steps that were done.
        model: The model's state by the published parameter names.
        optimizer: Adam's moments, as `<parameter>.exp_avg` and `<parameter>.exp_avg_sq`; empty for a model alone.
        config: What the model was, so that nobody needs the experiment to load it; None in checkpoints made before it was recorded, and
            in those of other networks.
        network: What a network of the front end was: its `kind` and the fields of its configuration; None for G3DR itself.
    """

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    config: ModelConfig | None = None
    network: Mapping[str, Any] | None = None


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}


def write_checkpoint(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Returns the files of `checkpoint` in the order in which they should be written."""
    files = {MODEL: save(_contiguous(checkpoint.model))}
    if checkpoint.optimizer:
        files[OPTIMIZER] = save(_contiguous(checkpoint.optimizer))
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    sizes = {name: len(data) for name, data in files.items()}
    index = {"format": FORMAT, "step": checkpoint.step, "sha256": checksums, "bytes": sizes}
    if checkpoint.config is not None:
        index["config"] = config_to_json(checkpoint.config)
    if checkpoint.network is not None:
        index["network"] = dict(checkpoint.network)
    files[INDEX] = json.dumps(index, indent=1, sort_keys=True).encode()
    return files


@dataclass(frozen=True)
class Index:
    """What a checkpoint says about itself.

    Attributes:
        step: Steps that were done.
        sha256: Of the other files, by name, in hexadecimal.
        config: As in `Checkpoint`.
        sizes: Bytes of the other files, by name; empty in checkpoints made before they were recorded.
        network: As in `Checkpoint`.
    """

    step: int
    sha256: Mapping[str, str]
    config: ModelConfig | None
    sizes: Mapping[str, int] = field(default_factory=dict)
    network: Mapping[str, Any] | None = None


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turns what goes wrong with a checkpoint's files into one sentence.

    Raises:
        CheckpointError: Something that reading them may raise was raised.
    """
    try:
        yield
    except (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        FileNotFoundError,
        SafetensorError,
    ) as error:
        raise CheckpointError(f"{where}: the checkpoint is incomplete or unreadable ({error})") from error


def read_index(data: bytes, where: str) -> Index:
    """Reads `checkpoint.json`.

    Raises:
        CheckpointError: It is damaged, or a newer version wrote it.
    """
    with readable(where):
        index = json.loads(data)
        _check_format(index["format"], where)
        config = config_from_json(index["config"], where) if index.get("config") else None
        checksums = {str(name): str(digest) for name, digest in index["sha256"].items()}
        sizes = {str(name): int(size) for name, size in index.get("bytes", {}).items()}
        if MODEL not in checksums or int(index["step"]) < 0:
            raise CheckpointError(f"{where}/{INDEX}: names no {MODEL}, or a step below 0")
        network = dict(index["network"]) if index.get("network") else None
        return Index(int(index["step"]), checksums, config, sizes, network)


def read_checkpoint(files: CheckpointFiles, where: str, *, optimizer: bool = True) -> Checkpoint:
    """Reads what `write_checkpoint` wrote.

    Args:
        files: File contents by name.
        where: Where they come from, for error messages.
        optimizer: Read the optimizer's state too, if the checkpoint has one.

    Raises:
        CheckpointError: A file is missing or damaged, or a newer version wrote it.
    """
    with readable(where):
        if INDEX not in files:
            raise CheckpointError(f"{where}: half-written, {INDEX} is missing")
        index = read_index(files[INDEX], where)
        wanted = [name for name in index.sha256 if optimizer or name != OPTIMIZER]
        for name in wanted:
            _check_file(files, name, index, where)
        moments = load(files[OPTIMIZER]) if OPTIMIZER in wanted else {}
        return Checkpoint(index.step, load(files[MODEL]), moments, index.config, index.network)


def _check_file(files: CheckpointFiles, name: str, index: Index, where: str) -> None:
    if name not in files:
        raise CheckpointError(f"{where}/{name}: missing, although {INDEX} names it")
    size, expected = len(files[name]), index.sizes.get(name)
    if expected is not None and size != expected:
        raise CheckpointError(f"{where}/{name}: damaged, it has {size} bytes, written were {expected}")
    check_digest(hashlib.sha256(files[name]).hexdigest(), index.sha256[name], f"{where}/{name}")


def _check_format(found: int, where: str) -> None:
    if found > FORMAT:
        raise CheckpointError(
            f"{where}: written by a newer version in format {found}, this one reads up to {FORMAT}; update the program to read it"
        )


def check_digest(actual: str, expected: str, where: str) -> None:
    """Makes sure that a file is what was written.

    Raises:
        CheckpointError: Its SHA-256 is not the recorded one.
    """
    if actual != expected:
        raise CheckpointError(f"{where}: damaged, its SHA-256 is {actual[:12]}..., recorded was {expected[:12]}...")


def load_model(model: nn.Module, state: Mapping[str, Tensor], where: str, *, may_lack: tuple[str, ...] = (), copy: bool = True) -> None:
    """Gives `model` the weights `state`.

    Args:
        model: Any model.
        state: Tensors by parameter name.
        where: Where they come from, for error messages.
        may_lack: Parameters that begin like this keep the model's values where `state` lacks them.
        copy: Copy them into the model's memory; otherwise the model takes the tensors themselves, wherever they lie.

    Raises:
        CheckpointError: Names or shapes differ; the sentence names examples of each.
    """
    own = model.state_dict()
    state = {**{name: tensor for name, tensor in own.items() if name.startswith(may_lack)}, **state}
    problems = differences({name: tuple(tensor.shape) for name, tensor in own.items()}, {name: tuple(t.shape) for name, t in state.items()})
    if problems:
        raise CheckpointError(f"{where}: the checkpoint does not fit the configured model: {'; '.join(problems)}")
    if copy:
        model.load_state_dict(dict(state))
    else:
        model.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in state.items()}, assign=True)


def differences(own: Mapping[str, tuple[int, ...]], other: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Returns what `other` lacks, has too much or has in another size than `own`, one phrase each with examples; empty if nothing.

    Args:
        own: Shapes that a model needs, by name.
        other: Shapes that were found.
    """
    found = []
    for label, names in (("missing", own.keys() - other.keys()), ("unknown", other.keys() - own.keys())):
        if names:
            found.append(f"{len(names)} {label} ({_examples(names)})")
    resized = sorted(name for name in own.keys() & other.keys() if own[name] != other[name])
    if resized:
        name = resized[0]
        found.append(f"{len(resized)} of another size ({name} is {list(other[name])}, the model needs {list(own[name])})")
    return found


def _examples(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:2]) + (", ..." if len(ordered) > 2 else "")


def adam_state(optimizer: Adam, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """Returns Adam's moments by parameter name."""
    moments = {}
    for parameter, state in optimizer.state.items():
        for kind in ("exp_avg", "exp_avg_sq"):
            moments[f"{names[parameter]}.{kind}"] = state[kind]
    return moments


def restore_adam(optimizer: Adam, names: Mapping[Tensor, str], moments: Mapping[str, Tensor], step: int, where: str) -> None:
    """Puts moments of `adam_state` back; `step` drives the bias correction.

    Raises:
        CheckpointError: A trained parameter has no moments in the checkpoint.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[parameter]
            if f"{name}.exp_avg" not in moments:
                raise CheckpointError(f"{where}: the optimizer state lacks {name}; was another part of the network frozen?")
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step), device=parameter.device),  # where the fused kernel wants it
                "exp_avg": moments[f"{name}.exp_avg"].to(parameter).clone(),
                "exp_avg_sq": moments[f"{name}.exp_avg_sq"].to(parameter).clone(),
            }


def without_optimizer(index: bytes, where: str) -> bytes:
    """Returns `checkpoint.json` as if there had never been an optimizer's state; write it before that is deleted.

    Raises:
        CheckpointError: The index is damaged.
    """
    read_index(index, where)
    record = json.loads(index)
    for kind in ("sha256", "bytes"):
        record[kind] = {name: value for name, value in record.get(kind, {}).items() if name != OPTIMIZER}
    return json.dumps(record, indent=1, sort_keys=True).encode()
