"""Clients of S3: one for each process, environment and address, and the one way to call them.

Address, region and credentials are what boto3 finds in the environment; nothing of it is kept elsewhere.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from orchestrator.store.base import StoreAwayError, StoreError
from orchestrator.store.patience import Patience
from orchestrator.store.s3_errors import OBJECT_STORE_ERRORS, has_expired, is_no_connection, reason_to_retry, sentence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)
# At DEBUG, boto3 logs whole requests: the session token, and what the files hold.
for _name in ("boto3", "botocore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

Result = TypeVar("Result")
_CONNECTIONS = 32
_ATTEMPTS_AT_FIRST_CONTACT = 4
# Many other object stores refuse the checksums that AWS wants by default.
_FEW_CHECKSUMS: dict[str, Any] = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
_ANSWERED: set[str] = set()  # endpoints that have answered this process
_TOLD: set[str] = set()  # files about which it has warned


@dataclass(frozen=True)
class Address:
    """Where requests go; None is what the environment says."""

    endpoint: str | None = None
    region: str | None = None

    def client(self, where: str) -> "S3Client":
        """Returns the client of this process and environment; clients are costly to make and safe to share between threads.

        Raises:
            StoreError: The environment makes no sense.
        """
        environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        try:
            return _client(os.getpid(), environment, self, Patience.from_environment())
        except BotoCoreError as error:
            raise StoreError(sentence(where, error)) from error
        except ValueError:
            # Botocore's own message repeats the address, which may hold a password.
            message = f"{where}: AWS_ENDPOINT_URL is https://host or http://host:port, without a user or a password"
            raise StoreError(message) from None

    def call(self, where: str, action: "Callable[[S3Client], Result]") -> Result:
        """Does something with the store, again and again where it may pass.

        Args:
            where: URI for the sentence.
            action: What to do; may be done several times, and may have succeeded although it raised.

        Raises:
            FileNotFoundError: The action says so.
            StoreAwayError: The store never answered.
            StoreError: The store refused.
        """
        patience, attempt, renewed = Patience.from_environment(), 0, False
        reasons: list[str] = []
        while True:
            client = self.client(where)
            attempt += 1
            try:
                result = action(client)
            except OBJECT_STORE_ERRORS as error:
                if has_expired(error) and not renewed:
                    renewed = True  # whoever renews the credentials writes a new file, which only a new client reads
                    _client.cache_clear()
                    continue
                reason = reason_to_retry(error)
                if reason is None or attempt >= _attempts(patience, client, error):
                    kind = StoreError if reason is None else StoreAwayError
                    raise kind(sentence(where, error, client.meta.endpoint_url, attempt)) from error
                reasons.append(reason)
                patience.pause(attempt)
            else:
                _ANSWERED.add(client.meta.endpoint_url)
                _tell(where, reasons)
                return result


def _attempts(patience: Patience, client: "S3Client", error: Exception) -> int:
    """Whoever never answered is probably misnamed; whoever once did is probably starting again."""
    if is_no_connection(error) and client.meta.endpoint_url not in _ANSWERED:
        return min(patience.attempts, _ATTEMPTS_AT_FIRST_CONTACT)
    return patience.attempts


def _tell(where: str, reasons: list[str]) -> None:
    """Warns once about each file; a shard is read in hundreds of pieces."""
    if reasons:
        level = logging.DEBUG if where in _TOLD else logging.WARNING
        _TOLD.add(where)
        logger.log(
            level, "%s: the object store answered at attempt %d (before: %s)", where, len(reasons) + 1, ", ".join(dict.fromkeys(reasons))
        )


@lru_cache(maxsize=8)
def _client(_process: int, environment: tuple[tuple[str, str], ...], address: Address, patience: Patience) -> "S3Client":
    variables = dict(environment)
    # A session of its own: the default session is not safe to share between threads while it is being set up.
    session = boto3.session.Session(region_name=address.region or variables.get("AWS_REGION") or None)
    settings = {**_settings(patience), **_signature(variables)}
    client = session.client("s3", endpoint_url=address.endpoint, config=Config(**settings))
    if "@" in urlsplit(client.meta.endpoint_url).netloc:
        raise ValueError("a user in the address")
    if _is_foreign(client.meta.endpoint_url) and "AWS_REQUEST_CHECKSUM_CALCULATION" not in variables:
        client = session.client("s3", endpoint_url=address.endpoint, config=Config(**settings, **_FEW_CHECKSUMS))
    return client


def _is_foreign(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return not host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _settings(patience: Patience) -> dict[str, Any]:
    return {
        "connect_timeout": patience.connect_seconds,
        "read_timeout": patience.read_seconds,
        # `call` asks again: it also sees bodies that end too soon, and what happens to a request whose answer was lost.
        "retries": {"mode": "standard", "total_max_attempts": 1},
        "max_pool_connections": _CONNECTIONS,
        "tcp_keepalive": True,
    }


def _signature(variables: dict[str, str]) -> dict[str, Any]:
    """Public buckets are read without credentials."""
    return {"signature_version": UNSIGNED} if variables.get("AWS_NO_SIGN_REQUEST", "").lower() in {"1", "true", "yes"} else {}
