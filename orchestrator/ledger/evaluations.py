"""Evaluations of a run.

runs/<run>/evaluations/<id>.json               the numbers, written last
runs/<run>/evaluations/<id>.safetensors        pictures of the first objects
runs/<run>/evaluations/<id>/meshes/<n>.glb     meshes of the first objects
runs/<run>/evaluations/<id>/steps/<step>.json  the numbers of an earlier checkpoint, from while it trained
runs/<run>/evaluations/<id>/steps.json         at which steps, and whether all of that is done
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.ledger.records import read_json, to_json
from orchestrator.store import Store

MOST_WAITING = 4
"""So many checkpoints stay for their measurement; where training is that much faster, older ones go and the curve gets coarser."""


@dataclass(frozen=True)
class StepsRecord:
    """How far the measurements along a training are.

    Attributes:
        every: Steps between them.
        finished: Whether the training is over and nothing is left to measure.
        measured: Steps that were measured; empty before the end.
        left_out: Steps that were not, because their checkpoints were deleted before.
    """

    every: int
    finished: bool = False
    measured: Sequence[int] = ()
    left_out: Sequence[int] = ()


def folder(run: str, evaluation: str) -> str:
    """Returns where everything of an evaluation but its numbers and pictures lies, relative to the root."""
    return f"runs/{run}/evaluations/{evaluation}"


def write(store: Store, run: str, evaluation: str, record: Mapping[str, Any], *, pictures: bytes, meshes: Mapping[str, bytes]) -> None:
    """Writes an evaluation, its numbers last."""
    place = folder(run, evaluation)
    store.write_bytes(f"{place}.safetensors", pictures)
    for name, data in meshes.items():
        store.write_bytes(f"{place}/meshes/{name}", data)
    store.write_bytes(f"{place}.json", to_json(record))


def read(store: Store, run: str, evaluation: str) -> dict[str, Any] | None:
    """Returns an evaluation's record, or None if there is none yet."""
    return read_json(store, f"{folder(run, evaluation)}.json")


def write_step(store: Store, run: str, evaluation: str, step: int, record: Mapping[str, Any]) -> None:
    """Writes what was measured of the checkpoint of a step."""
    store.write_bytes(f"{folder(run, evaluation)}/steps/{step:08d}.json", to_json(record))


def measured_steps(store: Store, run: str, evaluation: str) -> list[int]:
    """Returns the steps that were measured, ascending."""
    names = (path.rpartition("/")[2].removesuffix(".json") for path in store.list(f"{folder(run, evaluation)}/steps"))
    return [int(name) for name in names if name.isdecimal()]


def write_steps(store: Store, run: str, evaluation: str, record: StepsRecord) -> None:
    """Says how far the measurements along a training are."""
    store.write_bytes(f"{folder(run, evaluation)}/steps.json", to_json(asdict(record)))


def read_steps(store: Store, run: str, evaluation: str) -> StepsRecord | None:
    """Returns how far the measurements along a training are; None if none were asked for, or the record is damaged."""
    return read_steps_file(store, f"{folder(run, evaluation)}/steps.json")


def read_steps_file(store: Store, path: str) -> StepsRecord | None:
    """As `read_steps`, of the file at `path`."""
    try:
        record = read_json(store, path)
        return None if record is None else StepsRecord(**record)
    except (ValueError, TypeError):
        return None
