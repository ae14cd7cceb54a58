"""An S3 server (moto) in a process of its own, so that those who look on do not slow it down."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError
from s3 import ObjectStore, free_port

START_SECONDS = 60


@contextmanager
def store_server(bucket: str) -> Iterator[ObjectStore]:
    """Runs the server with one bucket until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        store = ObjectStore(f"http://127.0.0.1:{port}", bucket)
        _make_bucket(store)
        yield store
    finally:
        process.kill()
        process.wait(timeout=10)


def _make_bucket(store: ObjectStore) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            store.client().create_bucket(Bucket=store.bucket)
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
