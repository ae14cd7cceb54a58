"""A store in a bucket of S3 or of anything that speaks its protocol.

One library, boto3, does everything, so that address, region, credentials, retries and refusals are the same for every byte.
Several servers' worth of trouble is survived here; see docs/storage.md for what it knows of, and tests/fault_proxy.py for what it is
tried with.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from botocore.exceptions import ClientError

from orchestrator.store.base import Entry, Store
from orchestrator.store.location import S3Location
from orchestrator.store.s3_client import Address
from orchestrator.store.s3_errors import ABSENT, code_of
from orchestrator.store.s3_files import RangeFile
from orchestrator.store.s3_multipart import upload_in_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Result = TypeVar("Result")
_MULTIPART_BYTES = 64 * 2**20
_DELETING_THREADS = 8
_EXISTS_ALREADY = {"PreconditionFailed", "412"}


class S3Store(Store):
    """Files below `s3://bucket/prefix`.

    Args:
        location: Bucket, prefix, and where that is if the environment does not say.
    """

    def __init__(self, location: S3Location) -> None:
        self._location, self._address = location, Address(location.endpoint, location.region)
        self.uri = location.uri

    def __reduce__(self) -> tuple[type["S3Store"], tuple[S3Location]]:
        return S3Store, (self._location,)

    def _where(self, path: str) -> str:
        return f"s3://{self._location.bucket}/{self._location.key(path)}"

    def _target(self, path: str) -> dict[str, Any]:
        return {"Bucket": self._location.bucket, "Key": self._location.key(path)}

    def _call(self, path: str, action: "Callable[[S3Client], Result]") -> Result:
        return self._address.call(self._where(path), action)

    def read_bytes(self, path: str) -> bytes:
        """See `Store`."""

        def read(client: "S3Client") -> bytes:
            try:
                return client.get_object(**self._target(path))["Body"].read()
            except ClientError as error:
                if code_of(error) in ABSENT:
                    raise FileNotFoundError(self._where(path)) from error
                raise

        return self._call(path, read)

    def write_bytes(self, path: str, data: bytes) -> None:
        """See `Store`; large files go up in parts and appear when the last part is there."""
        if len(data) < _MULTIPART_BYTES:
            self._call(path, lambda client: client.put_object(**self._target(path), Body=data))
        else:
            upload_in_parts(lambda action: self._call(path, action), self._target(path), data, uuid.uuid4().hex)

    def write_if_absent(self, path: str, data: bytes) -> bool:
        """See `Store`; by a conditional put.

        The file bears a word of this writer's: if the answer to a put is lost, the next attempt is told that there is a file, and only
        the word tells whose.
        """
        writer = uuid.uuid4().hex

        def put(client: "S3Client") -> bool:
            try:
                client.put_object(**self._target(path), Body=data, IfNoneMatch="*", Metadata={"writer": writer})
            except ClientError as error:
                if code_of(error) not in _EXISTS_ALREADY:
                    raise
                return self._writer(client, path) == writer
            return True

        return self._call(path, put)

    def _writer(self, client: "S3Client", path: str) -> str | None:
        try:
            return client.head_object(**self._target(path))["Metadata"].get("writer")
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise

    def exists(self, path: str) -> bool:
        """See `Store`."""

        def look(client: "S3Client") -> bool:
            try:
                client.head_object(**self._target(path))
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return False
                raise
            return True

        return self._call(path, look)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`; a thousand files a request."""
        # A prefix of an object store is just letters: `a` also finds `ab/c`, which is not in the folder `a`.
        wanted, skip = self._location.key(prefix), len(self._location.key("")) + 1 if self._location.prefix else 0
        for found in self._found(prefix, wanted):
            key = found["Key"]
            if not key.endswith("/") and (not wanted or key == wanted or key.startswith(f"{wanted}/")):
                yield Entry(key[skip:], int(found["Size"]), int(found["LastModified"].timestamp()) * 10**9)

    def _found(self, prefix: str, wanted: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"Bucket": self._location.bucket, "Prefix": wanted}
        while True:
            page: Any = self._call(prefix, partial(_list, query))
            yield from page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            query = query | {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, prefix: str) -> None:
        """See `Store`; one by one, since deleting many at once is what other object stores differ in most."""
        paths = self.list(prefix)
        with ThreadPoolExecutor(_DELETING_THREADS) as pool:
            for _ in pool.map(self._delete, paths):
                pass

    def _delete(self, path: str) -> None:
        self._call(path, lambda client: client.delete_object(**self._target(path)))

    def child(self, path: str) -> Self:
        """See `Store`."""
        return type(self)(self._location.child(path))

    def open_file(self, path: str) -> RangeFile:
        """See `Store`."""
        return RangeFile(lambda action: self._call(path, action), self._target(path), self._where(path))

    def check(self) -> None:
        """See `Store`; lists one key, because only an answer with a body says what is wrong."""
        location = self._location
        self._call("", lambda client: client.list_objects_v2(Bucket=location.bucket, Prefix=location.prefix, MaxKeys=1))


def _list(query: dict[str, Any], client: "S3Client") -> Any:
    return client.list_objects_v2(**query)
