"""What an object store refused, in one sentence; never with a secret in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, NoCredentialsError, PartialCredentialsError  # noqa: A004

from orchestrator.store.base import StoreError

_CREDENTIALS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId", "AuthFailure"}
_PERMISSION = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled"}
_SET_CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"


def _refusal(where: str, error: ClientError) -> str:
    details = error.response.get("Error", {})
    code = str(details.get("Code", "unknown"))
    if code == "NoSuchBucket":
        bucket = where.removeprefix("s3://").partition("/")[0]
        return f"{where}: the bucket {bucket} does not exist at this endpoint; create it or check AWS_ENDPOINT_URL"
    if code in _CREDENTIALS:
        return f"{where}: the credentials are wrong or expired ({code}); {_SET_CREDENTIALS}"
    if code in _PERMISSION:
        return f"{where}: these credentials have no permission here ({code})"
    return f"{where}: the object store refused {error.operation_name} ({code})"


def _unreachable(where: str) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    # An endpoint may carry a user and a password before the @.
    shown = endpoint.rpartition("@")[2] if endpoint else "its default endpoint"
    return f"{where}: no answer from the object store at {shown}; check AWS_ENDPOINT_URL and the network"


def _sentence(where: str, error: Exception) -> str:
    if isinstance(error, ClientError):
        return _refusal(where, error)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"{where}: no credentials for the object store; {_SET_CREDENTIALS}"
    if isinstance(error, ConnectionError | HTTPClientError):
        return _unreachable(where)
    return f"{where}: the object store cannot be used ({type(error).__name__})"


@contextmanager
def plain_errors(where: str) -> Iterator[None]:
    """Turns what boto3 raises into a `StoreError`.

    Args:
        where: URI that the sentence names.

    Raises:
        StoreError: Something in the block failed.
    """
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise StoreError(_sentence(where, error)) from error
