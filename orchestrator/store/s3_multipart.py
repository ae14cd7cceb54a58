"""Large files, in parts: all of it appears with the last step, and nothing stays behind if there is none."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from orchestrator.store.base import StoreError
from orchestrator.store.s3_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)
PART_BYTES = 16 * 2**20
_MOST_PARTS = 10_000
_THREADS = 4

Call = Callable[[Callable[["S3Client"], Any]], Any]
"""Does something with a client, as often as needed."""


def upload_in_parts(call: Call, target: dict[str, Any], data: bytes, writer: str) -> None:
    """Writes a large file.

    Args:
        call: Makes a request.
        target: `Bucket` and `Key`.
        data: The file.
        writer: A word that nobody else uses; tells whether a file in place is this one.

    Raises:
        StoreError: The store refused; no part is left in it then, unless it refuses that too.
    """
    upload = target | {"UploadId": call(lambda client: client.create_multipart_upload(**target, Metadata={"writer": writer})["UploadId"])}
    try:
        parts = _send(call, upload, data)
        call(lambda client: _complete(client, target, upload, parts, writer))
    except BaseException:
        _abort(call, upload)
        raise


def _send(call: Call, upload: dict[str, Any], data: bytes) -> list[dict[str, Any]]:
    size = max(PART_BYTES, -(-len(data) // _MOST_PARTS))
    view = memoryview(data)

    def send(number: int) -> dict[str, Any]:
        body = bytes(view[(number - 1) * size : number * size])
        return {"PartNumber": number, "ETag": call(lambda client: client.upload_part(**upload, PartNumber=number, Body=body)["ETag"])}

    with ThreadPoolExecutor(_THREADS) as pool:
        futures = [pool.submit(send, number) for number in range(1, -(-len(data) // size) + 1)]
        try:
            return [future.result() for future in futures]
        finally:
            # An abort while parts are still on their way would leave those behind.
            pool.shutdown(wait=True, cancel_futures=True)


def _complete(client: "S3Client", target: dict[str, Any], upload: dict[str, Any], parts: Any, writer: str) -> None:
    """Puts the file together; an upload that is gone was completed by an attempt whose answer got lost, if the file is there."""
    try:
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except ClientError as error:
        if code_of(error) != "NoSuchUpload" or client.head_object(**target)["Metadata"].get("writer") != writer:
            raise


def _abort(call: Call, upload: dict[str, Any]) -> None:
    try:
        call(lambda client: client.abort_multipart_upload(**upload))
    except StoreError as error:
        logger.warning("parts of an unfinished upload stay in the bucket: %s", error)
