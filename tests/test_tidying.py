"""Ray's leftovers on this machine."""

import os
import subprocess
import sys

import pytest

from orchestrator.cluster.tidying import LOG_BOUNDS, forget_artifacts, forget_sessions

pytestmark = pytest.mark.unit


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def sessions(folder, pids):
    made = [folder / f"session_2026-11-{day:02d}_05-08-51_334486_{pid}" for day, pid in enumerate(pids, 1)]
    for path in made:
        (path / "logs").mkdir(parents=True)
        (path / "logs" / "raylet.out").write_text("x")
    (folder / "session_latest").symlink_to(made[-1])
    return made


def test_old_sessions_go_and_the_newest_stay(tmp_path):
    made = sessions(tmp_path, [ended_process()] * 5)
    assert forget_sessions(tmp_path, keep=2) == made[:3]
    assert [path.exists() for path in made] == [False] * 3 + [True] * 2
    assert (tmp_path / "session_latest").exists()


def test_a_session_that_runs_stays(tmp_path):
    made = sessions(tmp_path, [os.getpid(), ended_process(), 1])
    forget_sessions(tmp_path, keep=0)
    assert [path.exists() for path in made] == [True, False, True]


def test_what_is_no_session_stays(tmp_path):
    (tmp_path / "session_of_mine").mkdir()
    (tmp_path / "session_x_y").write_text("x")
    assert forget_sessions(tmp_path, keep=0) == []
    assert forget_sessions(tmp_path / "missing", keep=0) == []


def test_only_the_named_experiments_artifacts_go(tmp_path):
    for name in ("tune-1", "tune-2"):
        (tmp_path / "artifacts" / "2026-11-23" / name / "driver_artifacts").mkdir(parents=True)
    forget_artifacts(tmp_path, "tune-1")
    assert [path.name for path in tmp_path.glob("artifacts/*/*")] == ["tune-2"]


def test_bounds_are_small_enough_for_any_disk():
    a_process = 2 * int(LOG_BOUNDS["RAY_ROTATION_MAX_BYTES"]) * (1 + int(LOG_BOUNDS["RAY_ROTATION_BACKUP_COUNT"]))
    assert 100 * a_process <= 2 * 2**30
