"""The ledger: the object store is the only truth about what is finished, running and missing.

    runs/<run>/spec.json                          the resolved run
    runs/<run>/status.json                        state, step, seconds
    runs/<run>/metrics/<step>.jsonl               rows since the checkpoint before
    runs/<run>/checkpoints/<step>/...             three files, checkpoint.json last
    runs/<run>/evaluations/<evaluation>.json      numbers; pictures beside it as safetensors
    experiments/<name>/stages/<stage>.json        which runs a stage consists of

Metrics are written with the checkpoint they lead to, so that a run that is killed and continued holds each
step once.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from g3dr.errors import CheckpointError
from g3dr.training.layout import INDEX, MODEL, OPTIMIZER
from orchestrator.store import Store

if TYPE_CHECKING:
    from g3dr.training.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

RunState = Literal["running", "finished", "failed", "stopped"]
KEPT_CHECKPOINTS = 2


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        state: `finished` and `stopped` (by an early-stopping rule) are final; a `failed` run is tried again when asked for again.
        step: Steps that its newest checkpoint holds; of a stopped run, the rung at which it ended.
        seconds: Time spent in training steps, over all attempts that reached a checkpoint.
        seconds_per_step: Median over the logged windows.
        error: One sentence, if it failed.
    """

    state: RunState
    step: int = 0
    seconds: float = 0.0
    seconds_per_step: float = 0.0
    error: str | None = None


def _step_name(step: int) -> str:
    return f"{step:08d}"


def _to_json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


class Ledger:
    """Reads and writes the ledger below `store`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # runs

    def write_spec(self, run: str, spec: Mapping[str, Any]) -> None:
        """Records what `run` is; the first record stays."""
        self.store.write_if_absent(f"runs/{run}/spec.json", _to_json(spec))

    def status(self, run: str) -> RunStatus | None:
        """Returns the recorded status, or None for a run that never started."""
        record = self._read_json(f"runs/{run}/status.json")
        return RunStatus(**record) if record else None

    def set_status(self, run: str, status: RunStatus) -> None:
        """Replaces the recorded status."""
        self.store.write_bytes(f"runs/{run}/status.json", _to_json(asdict(status)))

    # checkpoints

    def save_checkpoint(self, run: str, checkpoint: "Checkpoint") -> None:
        """Writes a checkpoint, its index last, then forgets all but the newest `KEPT_CHECKPOINTS`."""
        from g3dr.training.checkpoint import write_checkpoint  # noqa: PLC0415  (brings torch)

        folder = self.checkpoint_path(run, checkpoint.step)
        for name, data in write_checkpoint(checkpoint).items():
            self.store.write_bytes(f"{folder}/{name}", data)
        for step in self.checkpoint_steps(run)[:-KEPT_CHECKPOINTS]:
            self.store.delete(self.checkpoint_path(run, step))

    @staticmethod
    def checkpoint_path(run: str, step: int) -> str:
        """Returns where the checkpoint of `step` lies, relative to the root."""
        return f"runs/{run}/checkpoints/{_step_name(step)}"

    def checkpoint_steps(self, run: str) -> list[int]:
        """Returns the steps of the complete checkpoints, ascending."""
        names = self.store.list(f"runs/{run}/checkpoints")
        return sorted(int(name.split("/")[-2]) for name in names if name.endswith(f"/{INDEX}"))

    def latest_checkpoint(self, run: str) -> "Checkpoint | None":
        """Returns the newest readable checkpoint; a damaged one is skipped for the one before it, with a warning."""
        for step in reversed(self.checkpoint_steps(run)):
            try:
                return self.read_checkpoint(self.checkpoint_path(run, step))
            except CheckpointError as error:
                logger.warning("skipped a damaged checkpoint: %s", error)
        return None

    def read_checkpoint(self, path: str, *, optimizer: bool = True) -> "Checkpoint":
        """Reads the checkpoint in the folder `path` of the store, with the optimizer's state (twice the size of the model) or without.

        Raises:
            CheckpointError: It is damaged or incomplete.
        """
        from g3dr.training.checkpoint import read_checkpoint  # noqa: PLC0415  (brings torch)

        wanted = (INDEX, MODEL, OPTIMIZER) if optimizer else (INDEX, MODEL)
        files = {name: self.store.read_bytes(f"{path}/{name}") for name in wanted if self.store.exists(f"{path}/{name}")}
        return read_checkpoint(files, f"{self.store.uri}/{path}".rstrip("/"), optimizer=optimizer)

    # metrics

    def write_metrics(self, run: str, step: int, rows: Iterable[Mapping[str, float]]) -> None:
        """Writes the rows since the checkpoint before `step`; the same step overwrites its own part."""
        lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        if lines:
            self.store.write_bytes(f"runs/{run}/metrics/{_step_name(step)}.jsonl", lines.encode())

    def metrics(self, run: str) -> list[dict[str, float]]:
        """Returns all rows of a run in the order of their steps."""
        parts = [self.store.read_bytes(name) for name in self.store.list(f"runs/{run}/metrics")]
        return [json.loads(line) for part in parts for line in part.decode().splitlines()]

    # evaluations

    def write_evaluation(self, run: str, evaluation: str, record: Mapping[str, Any], pictures: bytes) -> None:
        """Writes an evaluation, its numbers last."""
        self.store.write_bytes(f"runs/{run}/evaluations/{evaluation}.safetensors", pictures)
        self.store.write_bytes(f"runs/{run}/evaluations/{evaluation}.json", _to_json(record))

    def evaluation(self, run: str, evaluation: str) -> dict[str, Any] | None:
        """Returns an evaluation's record, or None if there is none yet."""
        return self._read_json(f"runs/{run}/evaluations/{evaluation}.json")

    # experiments

    def write_experiment(self, name: str, record: Mapping[str, Any]) -> None:
        """Records the resolved experiment."""
        self.store.write_bytes(f"experiments/{name}/experiment.json", _to_json(record))

    def write_stage(self, experiment: str, stage: str, record: Mapping[str, Any]) -> None:
        """Records which runs a stage consists of, and its best."""
        self.store.write_bytes(f"experiments/{experiment}/stages/{stage}.json", _to_json(record))

    def stage(self, experiment: str, stage: str) -> dict[str, Any] | None:
        """Returns a stage's record, or None before it was done once."""
        return self._read_json(f"experiments/{experiment}/stages/{stage}.json")

    def _read_json(self, path: str) -> dict[str, Any] | None:
        if not self.store.exists(path):
            return None
        record: dict[str, Any] = json.loads(self.store.read_bytes(path))
        return record
