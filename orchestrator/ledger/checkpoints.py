"""Checkpoints of a run: `runs/<run>/checkpoints/<step>/`, three files, of which `checkpoint.json` names the others and is written last."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from g3dr.errors import CheckpointError
from g3dr.training.layout import INDEX, MODEL, OPTIMIZER
from orchestrator.ledger import damage, metrics
from orchestrator.store import Store

if TYPE_CHECKING:
    from g3dr.training.checkpoint import Checkpoint


def checkpoint_path(run: str, step: int) -> str:
    """Returns where the checkpoint of `step` lies, relative to the root."""
    return f"{_folder(run)}/{step:08d}"


def _folder(run: str) -> str:
    return f"runs/{run}/checkpoints"


def begun_steps(store: Store, run: str) -> dict[int, set[str]]:
    """Returns the names of the files of every checkpoint of a run, complete or not, by step, ascending."""
    found: dict[int, set[str]] = {}
    for path in store.list(_folder(run)):
        step, slash, name = path.removeprefix(f"{_folder(run)}/").partition("/")
        if slash and step.isdecimal():
            found.setdefault(int(step), set()).add(name)
    return dict(sorted(found.items()))


def complete_steps(store: Store, run: str) -> list[int]:
    """Returns the steps of the checkpoints that have an index, ascending."""
    return [step for step, names in begun_steps(store, run).items() if INDEX in names]


def save(store: Store, run: str, checkpoint: "Checkpoint", keep: int, waiting: Collection[int] = ()) -> None:
    """Writes a checkpoint, then deletes all others but the newest `keep` up to it and those of the steps in `waiting`."""
    from g3dr.training.checkpoint import write_checkpoint  # noqa: PLC0415  (brings torch)

    folder = checkpoint_path(run, checkpoint.step)
    for name, data in write_checkpoint(checkpoint).items():
        store.write_bytes(f"{folder}/{name}", data)
    begun = begun_steps(store, run)
    complete = [step for step, names in begun.items() if INDEX in names and step <= checkpoint.step]
    kept = {*complete[-max(1, keep) :], *(step for step in complete if step in waiting)}
    for step in begun.keys() - kept:
        delete(store, checkpoint_path(run, step))


def keep_newest(store: Store, run: str, keep: int) -> None:
    """Deletes all complete checkpoints but the newest `keep`."""
    for step in complete_steps(store, run)[: -max(1, keep)]:
        delete(store, checkpoint_path(run, step))


def delete(store: Store, path: str) -> None:
    """Deletes a checkpoint, its index first: what is left if that is interrupted does not look complete."""
    store.delete(f"{path}/{INDEX}")
    store.delete(path)


def delete_optimizer(store: Store, path: str) -> None:
    """Deletes the optimizer's state of a checkpoint; before, its index forgets it, so that it is complete at any time.

    Raises:
        CheckpointError: The index is damaged; nothing is deleted.
    """
    from g3dr.training.checkpoint import without_optimizer  # noqa: PLC0415  (brings torch)

    store.write_bytes(f"{path}/{INDEX}", without_optimizer(store.read_bytes(f"{path}/{INDEX}"), f"{store.uri}/{path}"))
    store.delete(f"{path}/{OPTIMIZER}")


def read(store: Store, path: str, *, optimizer: bool = True) -> "Checkpoint":
    """Reads the checkpoint in the folder `path`.

    Raises:
        CheckpointError: It is damaged or incomplete.
    """
    from g3dr.training.checkpoint import read_checkpoint  # noqa: PLC0415  (brings torch)

    files = {}
    for name in (INDEX, MODEL, OPTIMIZER) if optimizer else (INDEX, MODEL):
        try:
            files[name] = store.read_bytes(f"{path}/{name}")
        except FileNotFoundError:
            continue  # a model alone has no optimizer; what the index names and is not there, the reader misses
    return read_checkpoint(files, f"{store.uri}/{path}".rstrip("/"), optimizer=optimizer)


def read_step(store: Store, run: str, step: int) -> "Checkpoint | None":
    """Returns the checkpoint of a step without the optimizer's state; None if it is gone, which may happen at any time, or damaged."""
    path = checkpoint_path(run, step)
    try:
        return read(store, path, optimizer=False)
    except CheckpointError as error:
        if store.exists(f"{path}/{INDEX}"):
            damage.note(store, run, path, str(error))
        return None


def readable_ones(store: Store, run: str, *, optimizer: bool = True) -> Iterator["Checkpoint"]:
    """Yields the checkpoints of a run that can be read, the newest first; each damaged one on the way is noted."""
    for step, names in reversed(begun_steps(store, run).items()):
        path = checkpoint_path(run, step)
        try:
            yield _read_step(store, path, step, names, optimizer=optimizer)
        except CheckpointError as error:
            damage.note(store, run, path, str(error))


def _read_step(store: Store, path: str, step: int, names: set[str], *, optimizer: bool) -> "Checkpoint":
    where = f"{store.uri}/{path}"
    if INDEX not in names:
        raise CheckpointError(f"{where}: half-written, {INDEX} is missing; its writer was interrupted")
    found = read(store, path, optimizer=optimizer)
    if found.step != step:
        raise CheckpointError(f"{where}/{INDEX}: says step {found.step}; it belongs to another checkpoint")
    return found


def resume_point(store: Store, run: str) -> "Checkpoint | None":
    """Returns the newest readable checkpoint whose metrics are readable too; if there is none such, the newest readable one.

    What it returns depends only on files that training does not change before it writes its next checkpoint, so that
    all workers of a run find the same.
    """
    newest = None
    for checkpoint in readable_ones(store, run):
        newest = newest or checkpoint
        if metrics.is_whole(store, run, checkpoint.step):
            return checkpoint
    return newest
