"""Who imports whom, and what a plain `import g3dr` brings."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
REPOSITORY = Path(__file__).parent.parent


def test_the_method_brings_neither_ray_nor_people():
    modules = "g3dr, g3dr.model, g3dr.losses, g3dr.metrics, g3dr.training.trainer, g3dr.procedural, g3dr.export"
    code = f"import sys, {modules}; print(sorted({{'ray', 'pydantic', 'typer', 'pyarrow', 'boto3', 'orchestrator'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]", done.stderr


def test_imports_point_down():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], check=False, capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
