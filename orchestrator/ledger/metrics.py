"""Metrics: `runs/<run>/metrics/<step>.jsonl`, the rows since the checkpoint before that of `step`."""

import json
from collections.abc import Iterable, Mapping

from orchestrator.ledger import damage
from orchestrator.store import Store

Row = dict[str, float]


def part_path(run: str, step: int) -> str:
    """Returns where the part that leads to the checkpoint of `step` lies, relative to the root."""
    return f"runs/{run}/metrics/{step:08d}.jsonl"


def write(store: Store, run: str, step: int, rows: Iterable[Mapping[str, float]]) -> None:
    """Writes a part; nothing if there are no rows."""
    lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    if lines:
        store.write_bytes(part_path(run, step), lines.encode())


def read(store: Store, run: str) -> list[Row]:
    """Returns all rows in the order of their steps, without what is damaged."""
    return [row for path in _parts(store, run) for row in _rows(store, run, path)[0]]


def is_whole(store: Store, run: str, step: int) -> bool:
    """Tells whether the part that leads to the checkpoint of `step` is there, and every line of it."""
    rows, whole = _rows(store, run, part_path(run, step))
    return whole and bool(rows)


def drop_after(store: Store, run: str, step: int) -> None:
    """Deletes the parts that lead to later checkpoints than that of `step`."""
    for path in _parts(store, run):
        if step_of(path) > step:
            store.delete(path)


def step_of(path: str) -> int:
    """Returns the step that a part leads to."""
    return int(path.rpartition("/")[2].removesuffix(".jsonl"))


def _parts(store: Store, run: str) -> list[str]:
    names = store.list(f"runs/{run}/metrics")
    return [name for name in names if name.endswith(".jsonl") and name.rpartition("/")[2].removesuffix(".jsonl").isdecimal()]


def _rows(store: Store, run: str, path: str) -> tuple[list[Row], bool]:
    """Returns the readable rows of a part, and whether that is all of it."""
    try:
        data = store.read_bytes(path)
    except FileNotFoundError:
        return [], False
    lines = data.decode("utf-8", errors="replace").split("\n")
    rows = [row for row in map(_row, lines[:-1]) if row is not None]
    whole = len(rows) == len(lines) - 1 and not lines[-1]
    if not whole:
        damage.note(store, run, path, f"{path}: a part of the metrics of which only {len(rows)} of {len(lines)} lines are whole")
    return rows, whole


def _row(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None
