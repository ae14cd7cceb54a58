"""Where a result comes from: the state of the code."""

import subprocess
from typing import Any


def git_state() -> dict[str, Any]:
    """Returns commit and cleanliness of the working directory's repository; empty outside of one."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changes = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": commit, "dirty": bool(changes)}
