"""What the operating system refused, in one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.store.base import StoreError

_AGAIN = "then run the same command again"
_SENTENCES = {
    errno.ENOSPC: f"the disk is full ({{}}); make room, {_AGAIN}",
    errno.EDQUOT: f"your quota on this disk is used up ({{}}); make room, {_AGAIN}",
    errno.EFBIG: f"the file is larger than this disk or your limits (ulimit -f) allow ({{}}); raise them, {_AGAIN}",
    errno.EROFS: "this disk can only be read, not written ({})",
    errno.EACCES: "no permission to read or write here ({})",
    errno.EPERM: "no permission to read or write here ({})",
    errno.EIO: "the disk failed to read or write; it may be broken ({})",
    errno.ESTALE: f"the network disk was lost ({{}}); mount it again, {_AGAIN}",
    errno.EMFILE: "too many files are open ({}); raise the limit (ulimit -n)",
    errno.ENOTDIR: "there is a file where a folder is needed, or a folder where a file is needed",
    errno.EISDIR: "there is a file where a folder is needed, or a folder where a file is needed",
    errno.EEXIST: "there is a file where a folder is needed, or a folder where a file is needed",
}


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals into one sentence; a missing file passes through.

    Args:
        path: What the sentence names.

    Raises:
        StoreError: Something in the block was refused.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        name = error.strerror or type(error).__name__
        said = _SENTENCES.get(error.errno or 0)
        raise StoreError(f"{path}: " + (said.format(name) if said else name)) from error
