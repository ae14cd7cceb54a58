"""Submits an experiment, or finds the job that runs it already."""

from collections.abc import Iterable

from orchestrator.cluster.connection import ClusterError
from orchestrator.cluster.submitting.client import Jobs, JobState, TakenError
from orchestrator.cluster.submitting.errand import Errand
from orchestrator.cluster.submitting.identity import attempt_of, last_attempt

_TRIES = 5


class OtherJobError(ClusterError):
    """The experiment runs already, but not as it was asked for now."""


def running_job(jobs: Iterable[JobState], prefix: str) -> JobState | None:
    """Returns the job that has not ended among those whose ids begin with `prefix`; None for none."""
    still_open = [state for state in jobs if not state.is_over and attempt_of(state.job, prefix) is not None]
    return max(still_open, key=lambda state: attempt_of(state.job, prefix) or 0, default=None)


def check_same(running: JobState, errand: Errand) -> None:
    """Refuses to take one experiment for another.

    Raises:
        OtherJobError: What runs has other settings or files.
    """
    if running.fingerprint != errand.fingerprint:
        raise OtherJobError(
            f"{errand.experiment} runs on {errand.root} already, as job {running.job}, but with other settings or files: "
            f"g3dr stop {errand.experiment} --root {errand.root} ends it, --attach follows it all the same"
        )


def place(jobs: Jobs, errand: Errand, *, attach: bool = False) -> tuple[str, bool]:
    """Returns the id of the job that does the errand, and whether it is new.

    Of two who ask at the same moment, one starts the job and both get it: Ray takes an id only once.

    Args:
        jobs: The cluster's.
        errand: What is to be done.
        attach: Take a running job of the same experiment and root, whatever its settings are.

    Raises:
        OtherJobError: Another one runs, and `attach` is false.
        ClusterError: The cluster refuses the job, or is not there.
    """
    for _ in range(_TRIES):
        known = jobs.all()  # asked for once: a job that came between two questions would be taken for one that has ended
        running = running_job(known, errand.prefix)
        if running is not None:
            if not attach:
                check_same(running, errand)
            return running.job, False
        job = f"{errand.prefix}{last_attempt([state.job for state in known], errand.prefix) + 1}"
        try:
            jobs.submit(job, errand)
        except TakenError:
            continue  # somebody was faster
        return job, True
    raise ClusterError(f"jobs of {errand.experiment} come and go faster than they can be followed; try again")
