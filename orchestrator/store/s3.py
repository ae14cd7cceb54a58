"""A store in a bucket of S3 or of anything that speaks its protocol.

boto3 does single files, because it knows conditional puts; pyarrow's file system does bulk reads. Both take endpoint, region and
credentials from the environment: `AWS_ENDPOINT_URL`, `AWS_DEFAULT_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE`.
"""

import io
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from pyarrow import fs

from orchestrator.store.base import Store, StoreError, clean_path
from orchestrator.store.s3_errors import plain_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 3, 20, 3
_MULTIPART_BYTES = 64 * 2**20
_EXISTS_ALREADY = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "404"}


def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


@lru_cache(maxsize=8)
def _client_for(_process: int, _environment: tuple[tuple[str, str], ...]) -> "S3Client":
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=32,
    )
    # A session of its own: the default session is not safe to share between threads while it is being set up.
    return boto3.session.Session().client("s3", config=config)


def _client() -> "S3Client":
    """Returns the client of this process and environment; clients are costly to make and safe to share between threads."""
    return _client_for(os.getpid(), _environment())


def _is(error: ClientError, codes: set[str]) -> bool:
    return str(error.response.get("Error", {}).get("Code", "")) in codes


class S3Store(Store):
    """Files below `s3://bucket/prefix`.

    Args:
        location: `bucket` or `bucket/prefix`.
    """

    def __init__(self, location: str) -> None:
        bucket, _, prefix = location.partition("/")
        if not bucket:
            raise StoreError("s3://: a bucket is missing; write s3://bucket/prefix")
        self._bucket, self._prefix = bucket, clean_path(prefix)
        self._location = f"{bucket}/{self._prefix}".rstrip("/")
        self.uri = f"s3://{self._location}"

    def __reduce__(self) -> tuple[type["S3Store"], tuple[str]]:
        return S3Store, (self._location,)

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._prefix, clean_path(path)) if part)

    def _where(self, path: str) -> str:
        return f"s3://{self._bucket}/{self._key(path)}"

    def read_bytes(self, path: str) -> bytes:
        """See `Store`."""
        with plain_errors(self._where(path)):
            try:
                return _client().get_object(Bucket=self._bucket, Key=self._key(path))["Body"].read()
            except ClientError as error:
                if _is(error, _ABSENT):
                    raise FileNotFoundError(self._where(path)) from error
                raise

    def write_bytes(self, path: str, data: bytes) -> None:
        """See `Store`; large files go up in parts and appear when the last part is there."""
        with plain_errors(self._where(path)):
            if len(data) < _MULTIPART_BYTES:
                _client().put_object(Bucket=self._bucket, Key=self._key(path), Body=data)
            else:
                _client().upload_fileobj(io.BytesIO(data), self._bucket, self._key(path))

    def write_if_absent(self, path: str, data: bytes) -> bool:
        """See `Store`; by a conditional put."""
        with plain_errors(self._where(path)):
            try:
                _client().put_object(Bucket=self._bucket, Key=self._key(path), Body=data, IfNoneMatch="*")
            except ClientError as error:
                if _is(error, _EXISTS_ALREADY):
                    return False
                raise
            return True

    def exists(self, path: str) -> bool:
        """See `Store`."""
        with plain_errors(self._where(path)):
            try:
                _client().head_object(Bucket=self._bucket, Key=self._key(path))
            except ClientError as error:
                if _is(error, _ABSENT):
                    return False
                raise
            return True

    def list(self, prefix: str = "") -> list[str]:
        """See `Store`."""
        skip = len(self._prefix) + 1 if self._prefix else 0
        with plain_errors(self._where(prefix)):
            return sorted(key[skip:] for key in self._keys(prefix))

    def _keys(self, prefix: str) -> Iterator[str]:
        # A prefix of an object store is just letters: `a` also finds `ab/c`, which is not in the folder `a`.
        wanted = self._key(prefix)
        for page in _client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=wanted):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                if not key.endswith("/") and (not wanted or key == wanted or key.startswith(f"{wanted}/")):
                    yield key

    def delete(self, prefix: str) -> None:
        """See `Store`."""
        with plain_errors(self._where(prefix)):
            keys = list(self._keys(prefix))
            for start in range(0, len(keys), 1000):
                objects: Any = [{"Key": key} for key in keys[start : start + 1000]]
                _client().delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})

    def child(self, path: str) -> Self:
        """See `Store`."""
        return type(self)(f"{self._bucket}/{self._key(path)}")

    def filesystem(self) -> tuple[Any, str]:
        """See `Store`; same endpoint and region as the single-file calls."""
        meta = _client().meta
        options: dict[str, Any] = {"region": meta.region_name} if meta.region_name and meta.region_name != "aws-global" else {}
        if ".amazonaws.com" not in meta.endpoint_url:
            scheme, _, host = meta.endpoint_url.partition("://")
            options |= {"endpoint_override": host, "scheme": scheme}
        retries = fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS)
        system = fs.S3FileSystem(connect_timeout=_CONNECT_SECONDS, request_timeout=_READ_SECONDS, retry_strategy=retries, **options)
        return system, self._location

    def check(self) -> None:
        """See `Store`; lists one key, because only an answer with a body says what is wrong."""
        with plain_errors(self.uri):
            _client().list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
