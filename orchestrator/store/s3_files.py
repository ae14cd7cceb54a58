"""Reads parts of a file in a bucket, as pyarrow wants them."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, IncompleteReadError

from orchestrator.store.base import StoreError
from orchestrator.store.s3_errors import ABSENT, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHANGED = {"PreconditionFailed", "412", "InvalidRange", "416"}

Call = Callable[[Callable[["S3Client"], Any]], Any]
"""Does something with a client, as often as needed."""


class RangeFile(io.RawIOBase):
    """A file of which only what is asked for is read, always of the version that was there at the beginning.

    Args:
        call: Makes a request.
        target: `Bucket` and `Key`.
        where: URI for the sentences.

    Raises:
        FileNotFoundError: There is none.
    """

    def __init__(self, call: Call, target: dict[str, Any], where: str) -> None:
        self._call, self._target, self._where, self._position = call, target, where, 0
        try:
            head = call(lambda client: _head(client, target))
        except FileNotFoundError:
            raise FileNotFoundError(where) from None
        self._size, self._version = int(head["ContentLength"]), str(head["ETag"])

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def size(self) -> int:
        """Bytes of the whole file."""
        return self._size

    def tell(self) -> int:
        """Position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves the position; nothing is asked of the store."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Reads up to `size` bytes, all to the end if it is negative.

        Raises:
            StoreError: The store refused, or the file was replaced since it was opened.
        """
        end = self._size if size is None or size < 0 else min(self._position + size, self._size)
        data: bytes = self._call(lambda client: self._part(client, self._position, end)) if self._position < end else b""
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """As `read`, into memory of the caller's."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _part(self, client: "S3Client", start: int, end: int) -> bytes:
        try:
            answer = client.get_object(**self._target, Range=f"bytes={start}-{end - 1}", IfMatch=self._version)
        except ClientError as error:
            raise self._refusal(error) from error
        data = answer["Body"].read()
        if len(data) != end - start:
            raise IncompleteReadError(actual_bytes=len(data), expected_bytes=end - start)
        return data

    def _refusal(self, error: ClientError) -> Exception:
        if code_of(error) in ABSENT:
            return FileNotFoundError(self._where)
        if code_of(error) in _CHANGED:
            return StoreError(f"{self._where}: was replaced while it was being read; run the same command again")
        return error


def _head(client: "S3Client", target: dict[str, Any]) -> Any:
    try:
        return client.head_object(**target)
    except ClientError as error:
        if code_of(error) in ABSENT:
            raise FileNotFoundError from error
        raise
