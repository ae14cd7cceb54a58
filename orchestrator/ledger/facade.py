"""The ledger as the rest of the program sees it; each kind of record has its own file beside this one."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from orchestrator.ledger import checkpoints, damage, evaluations, failures, metrics
from orchestrator.ledger.leases import Leases
from orchestrator.ledger.reading import read_all
from orchestrator.ledger.records import Failure, FailureKind, RunState, RunStatus, read_json, read_status, to_json
from orchestrator.store import Store

if TYPE_CHECKING:
    from g3dr.training.checkpoint import Checkpoint

KEPT_CHECKPOINTS = 2


class Ledger:
    """Reads and writes the ledger below `store`.

    What writes how far a run is takes a `token`: the lease under which the writer works (`LeaseKeeper.acquire`). If another process has
    taken the run over since, nothing is written and `LeaseLostError` is raised. Without a token nothing is checked.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._leases = Leases(store)

    # runs

    def write_spec(self, run: str, spec: Mapping[str, Any]) -> None:
        """Records what `run` is; the first record stays."""
        self.store.write_if_absent(f"runs/{run}/spec.json", to_json(spec))

    def spec(self, run: str) -> dict[str, Any] | None:
        """Returns what a run is, or None for a run that never started."""
        return read_json(self.store, f"runs/{run}/spec.json")

    def status(self, run: str) -> RunStatus | None:
        """Returns the recorded status, or None for a run that never started."""
        return read_status(self.store, run)

    def statuses(self, runs: Collection[str]) -> dict[str, RunStatus]:
        """Returns the recorded statuses of many runs, read side by side; runs that never started are left out."""
        found = read_all(self.store, runs, lambda run: read_status(self.store, run))
        return {run: status for run, status in found.items() if status is not None}

    def set_status(self, run: str, status: RunStatus, token: str | None = None) -> None:
        """Replaces the recorded status.

        Raises:
            LeaseLostError: The run was taken over by another process. One that loses its lease between this check and the write, the
                time of one request, still writes; the new holder's next status replaces it.
        """
        self._check(run, token)
        self.store.write_bytes(f"runs/{run}/status.json", to_json(asdict(status)))

    def record_failure(
        self, run: str, kind: FailureKind, sentence: str, *, keys: Iterable[str] = (), final: bool = True, token: str | None = None
    ) -> RunStatus:
        """Writes down why an attempt ended, and counts it.

        Args:
            run: The run.
            kind: What is to blame.
            sentence: What went wrong, where.
            keys: Of the batch at which it happened.
            final: Whether the run is `failed` (or `cancelled`) now; otherwise it is `running` (or what it was, if it was over), to be tried
                again.
            token: As for all that writes.

        Returns:
            The status as it is now.

        Raises:
            LeaseLostError: The run was taken over by another process.
        """
        self._check(run, token)
        before = self.status(run) or RunStatus("running")
        after = replace(before, state=_state_after(before.state, kind, final=final), error=sentence, attempts=before.attempts + 1)
        failures.write(self.store, run, Failure(kind, sentence, tuple(keys), after.attempts))
        self.set_status(run, after)
        return after

    def failures(self, run: str) -> list[Failure]:
        """Returns why earlier attempts at a run ended, the oldest first."""
        return failures.read(self.store, run)

    # checkpoints

    def save_checkpoint(
        self,
        run: str,
        checkpoint: "Checkpoint",
        *,
        keep: int = KEPT_CHECKPOINTS,
        waiting: Collection[int] = (),
        token: str | None = None,
    ) -> None:
        """Writes a checkpoint, its index last, then forgets all but the newest `keep` and those that wait for a measurement.

        Later ones are left over from a time before the run went back to this course; nothing continues from them any more.

        Args:
            run: The run.
            checkpoint: Its state.
            keep: How many stay at least.
            waiting: Steps of checkpoints that stay besides.
            token: As for all that writes.

        Raises:
            LeaseLostError: The run was taken over by another process.
        """
        self._check(run, token)
        checkpoints.save(self.store, run, checkpoint, keep, waiting)

    def keep_newest(self, run: str, keep: int, token: str | None = None) -> None:
        """Forgets all complete checkpoints but the newest `keep`.

        Raises:
            LeaseLostError: The run was taken over by another process.
        """
        self._check(run, token)
        checkpoints.keep_newest(self.store, run, keep)

    @staticmethod
    def checkpoint_path(run: str, step: int) -> str:
        """Returns where the checkpoint of `step` lies, relative to the root."""
        return checkpoints.checkpoint_path(run, step)

    def checkpoint_steps(self, run: str) -> list[int]:
        """Returns the steps of the complete checkpoints, ascending."""
        return checkpoints.complete_steps(self.store, run)

    def latest_checkpoint(self, run: str, *, optimizer: bool = True) -> "Checkpoint | None":
        """Returns the newest readable checkpoint; a damaged one is skipped for the one before it, with a warning and a record.

        Args:
            run: The run.
            optimizer: With the optimizer's state (twice the size of the model); without it, for whoever does not train on.
        """
        return next(checkpoints.readable_ones(self.store, run, optimizer=optimizer), None)

    def latest_step(self, run: str) -> int | None:
        """Returns the step of the newest checkpoint whose model is readable; None if there is none."""
        checkpoint = self.latest_checkpoint(run, optimizer=False)
        return checkpoint.step if checkpoint else None

    def resume(self, run: str, *, drop: bool = True) -> "Checkpoint | None":
        """Returns the checkpoint from which a run goes on; None if it begins anew.

        That is the newest one that is readable and whose metrics are, so that no row is missing. Rows after it are deleted, for the run
        writes those steps again.

        Args:
            run: The run.
            drop: Delete the rows; only one of several workers does.
        """
        found = checkpoints.resume_point(self.store, run)
        if drop:
            metrics.drop_after(self.store, run, found.step if found else 0)
        return found

    def read_checkpoint(self, path: str, *, optimizer: bool = True) -> "Checkpoint":
        """Reads the checkpoint in the folder `path` of the store, with the optimizer's state (twice the size of the model) or without.

        Raises:
            CheckpointError: It is damaged or incomplete.
        """
        return checkpoints.read(self.store, path, optimizer=optimizer)

    def damage(self, run: str) -> list[damage.Damage]:
        """Returns the files of a run that were found damaged, and skipped, the oldest first."""
        return damage.of_run(self.store, run)

    # metrics

    def write_metrics(self, run: str, step: int, rows: Iterable[Mapping[str, float]], token: str | None = None) -> None:
        """Writes the rows since the checkpoint before `step`; the same step overwrites its own part.

        Raises:
            LeaseLostError: The run was taken over by another process.
        """
        self._check(run, token)
        metrics.write(self.store, run, step, rows)

    def metrics(self, run: str) -> list[dict[str, float]]:
        """Returns all rows of a run in the order of their steps; what is damaged is left out, with a warning and a record."""
        return metrics.read(self.store, run)

    # evaluations

    def write_evaluation(
        self, run: str, evaluation: str, record: Mapping[str, Any], pictures: bytes, meshes: Mapping[str, bytes] | None = None
    ) -> None:
        """Writes an evaluation, its numbers last."""
        evaluations.write(self.store, run, evaluation, record, pictures=pictures, meshes=meshes or {})

    def evaluation(self, run: str, evaluation: str) -> dict[str, Any] | None:
        """Returns an evaluation's record, or None if there is none yet."""
        return evaluations.read(self.store, run, evaluation)

    def read_step(self, run: str, step: int) -> "Checkpoint | None":
        """Returns the checkpoint of a step without the optimizer's state; None if it is gone or damaged."""
        return checkpoints.read_step(self.store, run, step)

    # experiments

    def write_experiment(self, name: str, record: Mapping[str, Any]) -> None:
        """Records the resolved experiment."""
        self.store.write_bytes(f"experiments/{name}/experiment.json", to_json(record))

    def write_stage(self, experiment: str, stage: str, record: Mapping[str, Any]) -> None:
        """Records which runs a stage consists of, and its best."""
        self.store.write_bytes(f"experiments/{experiment}/stages/{stage}.json", to_json(record))

    def stage(self, experiment: str, stage: str) -> dict[str, Any] | None:
        """Returns a stage's record, or None before it was done once."""
        return read_json(self.store, f"experiments/{experiment}/stages/{stage}.json")

    def _check(self, run: str, token: str | None) -> None:
        if token is not None:
            self._leases.check(run, token)


def _state_after(before: RunState, kind: FailureKind, *, final: bool) -> RunState:
    if final:
        return "cancelled" if kind == "cancelled" else "failed"
    return before if before in ("finished", "stopped") else "running"
