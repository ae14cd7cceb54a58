"""Names of jobs: one experiment on one root is one job at a time."""

import hashlib
import json
from collections.abc import Iterable, Sequence

_DIGITS = 8


def job_prefix(experiment: str, root: str) -> str:
    """Returns the beginning of the ids of all jobs of an experiment on a root.

    Args:
        experiment: Its name.
        root: URI of the store.
    """
    return f"g3dr-{experiment}-{hashlib.sha256(root.encode()).hexdigest()[:_DIGITS]}-"


def attempt_of(job: str, prefix: str) -> int | None:
    """Returns which attempt a job is, from 1; None for a job of something else."""
    number = job.removeprefix(prefix)
    return int(number) if job.startswith(prefix) and number.isdecimal() else None


def last_attempt(jobs: Iterable[str], prefix: str) -> int:
    """Returns the highest attempt among jobs; 0 without any."""
    return max((attempt for job in jobs if (attempt := attempt_of(job, prefix)) is not None), default=0)


def fingerprint(document: object, contents: str, names: Sequence[str], command: str) -> str:
    """Returns a short text that is equal for what would do the same work.

    Args:
        document: The resolved experiment, as JSON.
        contents: Digest of the files that travel.
        names: Environment variables that are passed on; their values may change, as short-lived credentials do.
        command: The job's command.
    """
    text = json.dumps([document, contents, sorted(names), command], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
