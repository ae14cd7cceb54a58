"""A run's numbers for TensorBoard: one immutable event file for each checkpoint, so that it works in an object store too.

    runs/<run>/tensorboard/events.out.tfevents.<step>[.<group>]

TensorBoard reads the files of a folder in the order of their names. A part is written after the checkpoint it leads to; a run that is
continued deletes the parts after its checkpoint and makes up for those that are missing before it, so that each step stands there once.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial

from orchestrator.store import Store
from orchestrator.tracking.background import Background
from orchestrator.tracking.event_file import event_file

Row = tuple[float, int, Mapping[str, float]]
_PREFIX = "events.out.tfevents."


class TensorBoardParts:
    """Collects numbers and writes them at checkpoints.

    Args:
        store: The root.
        run: Id of the run.
        background: Writes.
    """

    def __init__(self, store: Store, run: str, background: Background) -> None:
        self._store, self._folder, self._background = store, f"runs/{run}/tensorboard", background
        self._rows: dict[str, list[Row]] = {}

    def add(self, step: int, metrics: Mapping[str, float], group: str = "") -> None:
        """Takes the numbers of a step; those of a group stand below its name."""
        prefix = f"{group}/" if group else ""
        numbers = {f"{prefix}{name}": value for name, value in metrics.items()}
        self._rows.setdefault(group, []).append((time.time(), step, numbers))

    def save(self, step: int) -> None:
        """Has everything since the last checkpoint written, as parts that lead to `step`."""
        rows, self._rows = self._rows, {}
        for group, part in rows.items():
            self._background.do(partial(self._write, self._path(step, group), part))

    def _write(self, path: str, part: Sequence[Row]) -> None:
        self._store.write_bytes(path, event_file(part))

    def resume(self, step: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Makes the parts fit a checkpoint.

        Args:
            step: Steps that the checkpoint holds.
            rows: The ledger's metrics of the run.
        """
        self._background.do(lambda: self._mend(step, rows))

    def _mend(self, step: int, rows: Sequence[Mapping[str, float]]) -> None:
        there = {path: _step_of(path) for path in self._store.list(self._folder)}
        for path in [path for path, end in there.items() if end > step]:
            self._store.delete(path)
        newest = max((end for end in there.values() if end <= step), default=0)
        missing = [row for row in rows if newest < row["step"] <= step]
        if missing:
            events = [(time.time(), int(row["step"]), {name: row[name] for name in row if name != "step"}) for row in missing]
            self._write(self._path(step, ""), events)

    def _path(self, step: int, group: str) -> str:
        return f"{self._folder}/{_PREFIX}{step:08d}" + (f".{group}" if group else "")


def _step_of(path: str) -> int:
    """The step of a part's name; of a file of somebody else's, before all others."""
    digits = path.rpartition("/")[2].removeprefix(_PREFIX).partition(".")[0]
    return int(digits) if digits.isdecimal() else -1
