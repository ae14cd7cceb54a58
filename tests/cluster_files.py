"""The repository's cluster files with their placeholders filled in, and a home with a token, for tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
LAUNCHER = REPOSITORY / "cluster.yaml"
RAYJOB = REPOSITORY / "docs" / "clusters" / "rayjob.yaml"
TOKEN = "0123456789abcdef" * 4
FILLED = {
    "FILL_IN_REGION": "eu-central-1",
    "FILL_IN_MACHINE_IMAGE": "ami-0123456789abcdef0",
    "FILL_IN_GPU_MACHINE_IMAGE": "ami-0fedcba9876543210",
    "FILL_IN_SECURITY_GROUP": "sg-0123456789abcdef0",
    "FILL_IN_IMAGE": "registry.example/g3dr:1.0",
    "FILL_IN_BUCKET": "animals",
}


def filled(path: Path) -> str:
    """The text of a cluster file of which every placeholder has a value."""
    text = path.read_text(encoding="utf-8")
    for name, value in FILLED.items():
        text = text.replace(name, value)
    return text


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home in which the token lies, and the repository as the working directory, as `ray up` wants it."""
    folder = tmp_path / "home"
    (folder / ".ray").mkdir(parents=True)
    token = folder / ".ray" / "auth_token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(REPOSITORY)
    for name in [name for name in os.environ if name.startswith("AWS_")] + ["G3DR_PRICES"]:
        monkeypatch.delenv(name, raising=False)
    return folder


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each change made once; every change must find its place."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text
