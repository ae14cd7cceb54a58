"""Ray's job API over HTTP, with a token, bounded waits, and errors that are sentences."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import requests
from ray._private.ray_constants import WORKER_PROCESS_SETUP_HOOK_ENV_VAR
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient

from orchestrator.cluster.connection import ClusterError
from orchestrator.cluster.submitting.address import VARIABLES, Address
from orchestrator.cluster.submitting.arriving import HOOK
from orchestrator.cluster.submitting.errand import Errand

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_UPLOAD_SECONDS = 600.0
_LONGEST_SENTENCE = 400
_SILENCE_SECONDS = 60.0
_WITHOUT_SERVER = re.compile(r"^50[234] |status code 50[234]|, status=50[234]")
"""What a proxy says while the server behind it is away."""

_OVER = ("SUCCEEDED", "FAILED", "STOPPED")


class AwayError(ClusterError):
    """A cluster that gives no answer at the moment; it may do so later."""


class RefusedError(ClusterError):
    """A cluster that wants a token, or another one."""


class GoneError(ClusterError):
    """A job that the cluster does not know any more."""


class TakenError(ClusterError):
    """A job of this id is there already."""


@dataclass(frozen=True)
class JobState:
    """A job as the cluster knows it.

    Attributes:
        job: Its id.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED` or `STOPPED`.
        fingerprint: Of what it does, if g3dr submitted it.
        exit_code: Its command's, once it has ended; None where the command never ran.
        message: Ray's words about its end.
    """

    job: str
    state: str
    fingerprint: str | None = None
    exit_code: int | None = None
    message: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in _OVER

    @property
    def sentence(self) -> str:
        """Ray's words in one line: what it says first, and what went wrong in the end."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        chosen = lines if len(lines) < 2 else [lines[0], lines[-1]]
        return " ... ".join(chosen)[:_LONGEST_SENTENCE] or "Ray does not say why"


FINGERPRINT = "g3dr_fingerprint"
"""The key of a job's metadata."""


class _Client(JobSubmissionClient):  # type: ignore[misc]
    """Ray's own client, which would wait for ever for an answer that got lost."""

    def _do_request(self, method: str, endpoint: str, **options: Any) -> requests.Response:
        patience = _UPLOAD_SECONDS if method == "PUT" else _ANSWER_SECONDS
        answer: requests.Response = super()._do_request(method, endpoint, timeout=(_CONNECT_SECONDS, patience), **options)
        return answer


class Jobs:
    """The jobs of a cluster.

    Args:
        address: Its dashboard.
        token: Its token.

    Raises:
        AwayError: Nobody answers.
        RefusedError: The token is missing or wrong.
        ClusterError: Who answers is no Ray dashboard, or too old.
    """

    def __init__(self, address: Address, token: str | None) -> None:
        self._address = address
        for name in ("ray.dashboard.modules.job.sdk", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.utils"):
            logging.getLogger(name).setLevel(logging.ERROR)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self._told(), _without(*VARIABLES):  # Ray lets those win over the address that it is given
            self._client = _Client(address.url, headers=headers)

    def demands_token(self) -> bool:
        """Tells whether the cluster refuses who comes without a token."""
        with self._told():
            answer = requests.get(f"{self._address.url}/api/version", timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS))
            return answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden)

    def all(self) -> list[JobState]:
        """Returns all jobs that were submitted."""
        with self._told():
            return [_state(details) for details in self._client.list_jobs() if details.submission_id]

    def state(self, job: str) -> JobState:
        """Returns a job.

        Raises:
            GoneError: There is none of this id.
        """
        with self._told():
            try:
                return _state(self._client.get_job_info(job))
            except RuntimeError as error:
                if "status code 404" in str(error):
                    raise GoneError(f"{self._address.url} knows no job {job} any more; was the cluster started anew?") from None
                raise

    def submit(self, job: str, errand: Errand) -> None:
        """Starts a job; its package is only uploaded if the cluster does not have it.

        Args:
            job: Its id.
            errand: What it does.

        Raises:
            TakenError: There is one of this id.
        """
        # Ray calls the hook in workers; named by the variable, also in the process that starts the command.
        variables = {**errand.environment, WORKER_PROCESS_SETUP_HOOK_ENV_VAR: HOOK}
        surroundings = {"working_dir": str(errand.package), "env_vars": variables, "worker_process_setup_hook": HOOK}
        with self._told():
            try:
                marks = {FINGERPRINT: errand.fingerprint}
                self._client.submit_job(entrypoint=errand.command, submission_id=job, runtime_env=surroundings, metadata=marks)
            except RuntimeError as error:
                if "already exists" in str(error):
                    raise TakenError(f"there is a job {job} already") from None
                raise

    def logs(self, job: str) -> str:
        """Returns all that a job has printed."""
        with self._told():
            return str(self._client.get_job_logs(job))

    def tail(self, job: str) -> Iterator[str]:
        """Returns what a job has printed from its beginning, and waits for more until it ends; in pieces of any length.

        Raises:
            AwayError: The connection was lost, or nothing came over it for a minute, which may mean the same.
        """
        loop, pieces = asyncio.new_event_loop(), self._client.tail_job_logs(job)
        try:
            while True:
                with self._told():
                    piece = loop.run_until_complete(asyncio.wait_for(_next(pieces), _SILENCE_SECONDS))
                if piece is None:
                    return
                yield piece
        finally:
            loop.run_until_complete(pieces.aclose())
            loop.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Makes sentences of what Ray's client and what is below it raise."""
        url = self._address.url
        try:
            yield
        except ClusterError:
            raise
        except AuthenticationError as error:
            words = "wants a token and got none; set RAY_AUTH_TOKEN" if "required" in str(error) else "refuses the token; is it another's?"
            raise RefusedError(f"the cluster at {url} {words}") from None
        except (requests.ConnectionError, requests.Timeout, ConnectionError, TimeoutError, aiohttp.ClientConnectionError) as error:
            raise AwayError(f"nobody answers at {url}; is the cluster up, and the tunnel to it open? ({type(error).__name__})") from error
        except Exception as error:  # whatever Ray raises
            words = " ".join(str(error).split())[:_LONGEST_SENTENCE]
            kind = AwayError if _WITHOUT_SERVER.search(words) else ClusterError
            raise kind(f"{url} answers, but not as Ray's job API should: {words or type(error).__name__}") from error


async def _next(pieces: AsyncIterator[str]) -> str | None:
    return await anext(pieces, None)


def _state(details: JobDetails) -> JobState:
    metadata = details.metadata or {}
    return JobState(
        str(details.submission_id),
        str(details.status.value),
        metadata.get(FINGERPRINT),
        details.driver_exit_code,
        details.message or "",
    )


@contextmanager
def _without(*names: str) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
