"""Where a result comes from: the state of the code."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

STATE_VARIABLE = "G3DR_GIT_STATE"
"""Holds the state of the repository that a job was submitted from: its working directory is a copy without one."""


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Returns commit and cleanliness of a repository; empty outside of one.

    Args:
        folder: Lies in the repository; None is what a job was submitted from, else the working directory.
    """
    if folder is None and (given := os.environ.get(STATE_VARIABLE)):
        return dict(json.loads(given))
    try:
        commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path | None, *words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True, cwd=folder).stdout.strip()
