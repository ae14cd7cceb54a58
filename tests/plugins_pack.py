"""What the tests of packing share: a folder of photographs, a place for the dataset, and no Ray."""

import pytest
from picture_files import write_pair

from orchestrator.store import open_store


@pytest.fixture
def photos(tmp_path):
    """Two species of seven pictures, each with its depth map."""
    for species in ("ant", "bee"):
        for number in range(7):
            write_pair(tmp_path / "photos" / species, f"{number:02d}")
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path):
    """Where a dataset goes."""
    return open_store(str(tmp_path / "dataset"))


@pytest.fixture
def without_ray(monkeypatch):
    """Packs in threads, though another test may have started a cluster in this process."""
    monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)
