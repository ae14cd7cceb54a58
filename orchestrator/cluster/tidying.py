"""What Ray leaves on the disk of this machine: bounded while it runs, and forgotten later.

Ray keeps a folder for each session, with the logs of every process, and Tune one for each experiment with a record of every trial, about
50 KB each. Nobody here reads any of that back.
"""

import os
import shutil
from pathlib import Path

KEPT_SESSIONS = 3
"""Sessions that stay, for whoever wants to see Ray's own logs of what went wrong."""

LOG_BOUNDS = {
    "RAY_ROTATION_MAX_BYTES": str(4 * 2**20),
    "RAY_ROTATION_BACKUP_COUNT": "1",
}
"""What a process prints or logs is kept up to twice this size for each stream; Ray's own bound is 512 MB, six times."""


def forget_sessions(folder: Path, keep: int = KEPT_SESSIONS) -> list[Path]:
    """Deletes old sessions below a temporary folder of Ray's; those whose process lives stay.

    Args:
        folder: The `_temp_dir` of clusters of our own.
        keep: How many of the newest stay.

    Returns:
        What was deleted.
    """
    sessions = sorted((path for path in folder.glob("session_*_*") if path.is_dir() and not path.is_symlink()), key=lambda path: path.name)
    gone = [path for path in sessions[: max(0, len(sessions) - keep)] if not _lives(path)]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return gone


def _lives(session: Path) -> bool:
    """A session's name ends with the number of the process that began it."""
    number = session.name.rpartition("_")[2]
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError, OverflowError):
        return True  # somebody else's, or not a session at all
    return True


def forget_artifacts(session: Path, experiment: str) -> None:
    """Deletes what Tune keeps of an experiment on this machine.

    Args:
        session: The folder of Ray's session.
        experiment: The `name` of Tune's `RunConfig`, which nobody else on this machine uses.
    """
    for path in (session / "artifacts").glob(f"*/{experiment}"):
        shutil.rmtree(path, ignore_errors=True)


def session_folder() -> Path | None:
    """Returns the folder of the session that this process is connected to; None where that is not on this machine."""
    from ray._private import worker  # noqa: PLC0415  (Ray tells it nowhere else)

    node = getattr(worker, "_global_node", None)
    folder = Path(node.get_session_dir_path()) if node is not None else None
    return folder if folder is not None and folder.is_dir() else None
