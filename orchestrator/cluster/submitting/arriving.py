"""What every process of a submitted job does first: open the values that travelled sealed.

Ray calls `prepare` by its name in each worker (`worker_process_setup_hook`), the one that starts the job's command among them, which
inherits its environment.
"""

import os
import socket
import sys

from orchestrator.cluster.submitting.sealing import VARIABLE, SealError, unseal
from orchestrator.cluster.submitting.tokens import read_token

HOOK = f"{__name__}.prepare"
"""What Ray is told to call."""

PYTHON = "G3DR_PYTHON"
"""Holds the interpreter that Ray's workers run with, so that the job's command runs with the same; `python` may be another one."""


def prepare() -> None:
    """Puts the sealed variables into this process's environment.

    Raises:
        SealError: This machine has no token, or another one.
    """
    os.environ[PYTHON] = sys.executable
    sealed = os.environ.get(VARIABLE)
    if not sealed:
        return
    token = read_token(os.environ)
    if token is None:
        raise SealError(f"{socket.gethostname()} has no token of the cluster, so the values of --env cannot be opened on it")
    os.environ.update(unseal(sealed, token))
