"""How requested runs ended, read once: what is over is remembered, what is not is asked again."""

from collections.abc import Iterable, Sequence

from orchestrator.ledger import Ledger, RunStatus, evaluations
from orchestrator.ledger.reading import read_all
from orchestrator.planning.knowledge import Outcome
from orchestrator.runs import RunRequest

_Key = tuple[str, str, tuple[int, ...], int | None]


class Outcomes:
    """Asks the ledger how runs ended.

    A run that is over (finished with its evaluation, or stopped) is read once; whoever takes it up again says so by `forget`.

    Args:
        ledger: Where runs are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._over: dict[str, dict[_Key, Outcome]] = {}

    def __call__(self, request: RunRequest) -> Outcome | None:
        """Returns how a run ended, with its evaluation; None while something of it is missing.

        A stopped run has the metrics of the rung at which it was stopped. It is over only for those who would stop
        it there too: whoever asks for the same run without early stopping, or with other rungs, gets it continued.
        """
        known = self._over.get(request.spec.id, {}).get(_key(request))
        return known or self._remembered(request, self._read(request))

    def prefetch(self, requests: Iterable[RunRequest]) -> None:
        """Reads many runs side by side, so that asking for them one by one takes no time."""
        unknown = {_key(request): request for request in requests if _key(request) not in self._over.get(request.spec.id, {})}
        by_name = {"/".join(map(str, key)): request for key, request in unknown.items()}
        for name, outcome in read_all(self._ledger.store, list(by_name), lambda name: self._read(by_name[name])).items():
            self._remembered(by_name[name], outcome)

    def forget(self, run: str) -> None:
        """Asks again how a run ended; for one that is computed again."""
        self._over.pop(run, None)

    def _remembered(self, request: RunRequest, outcome: Outcome | None) -> Outcome | None:
        if outcome is not None and outcome.state in ("finished", "stopped"):
            self._over.setdefault(request.spec.id, {})[_key(request)] = outcome
        return outcome

    def _read(self, request: RunRequest) -> Outcome | None:
        status = self._ledger.status(request.spec.id)
        if status is None or status.state == "running":
            return None
        if status.state == "stopped":
            return self._stopped(request, status)
        if status.state != "finished" or not request.measurement:
            return Outcome(status.state)
        record = self._ledger.evaluation(request.spec.id, request.measurement)
        return (
            None
            if record is None or not self._is_measured_along(request)
            else Outcome("finished", {**record["metrics"], "seconds_per_step": status.seconds_per_step})
        )

    def _is_measured_along(self, request: RunRequest) -> bool:
        """Tells whether nothing is left to measure of the checkpoints from while the run was trained."""
        if request.evaluate_every is None:
            return True
        steps = evaluations.read_steps(self._ledger.store, request.spec.id, request.measurement)
        return steps is not None and steps.finished and steps.every == request.evaluate_every

    def _stopped(self, request: RunRequest, status: RunStatus) -> Outcome | None:
        if status.step not in request.rungs:
            return None
        rows: Sequence[dict[str, float]] = self._ledger.metrics(request.spec.id)
        return Outcome("stopped", next((row for row in reversed(rows) if row["step"] == status.step), {}))


def _key(request: RunRequest) -> _Key:
    return request.spec.id, request.measurement, request.rungs, request.evaluate_every
