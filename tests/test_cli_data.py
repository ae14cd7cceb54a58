"""`g3dr data` from the outside: what it prints, where it writes, how it exits."""

import pytest
from typer.testing import CliRunner

from g3dr.errors import DataError
from orchestrator.cli.data import app
from orchestrator.shards import read_manifest
from orchestrator.store import open_store

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _without_ray(monkeypatch):
    monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def animals(tmp_path):
    result = invoke(
        "procedural", tmp_path / "animals", "--species", "0,1", "--individuals", 4, "--held-out", 1, "--views", 1, "--resolution", 8
    )
    assert result.exit_code == 0, result.output
    assert "Next: g3dr data pack" in result.output
    return tmp_path / "animals"


def test_invent_pack_verify(animals, tmp_path):
    result = invoke("pack", animals, tmp_path / "set", "--held-out", 0.25)
    assert result.exit_code == 0, result.output
    manifest = read_manifest(open_store(str(tmp_path / "set")))
    assert f"version {manifest.version}, 6 training and 2 test examples of 2 species" in result.output
    assert manifest.quarantine == ()
    assert "every shard is intact" in invoke("verify", tmp_path / "set").output
    open_store(str(tmp_path / "set")).delete(manifest.shards[0].path)
    damaged = invoke("verify", tmp_path / "set")
    assert damaged.exit_code == 1
    assert "is missing" in damaged.output


def test_what_was_left_out_is_told(animals, tmp_path):
    next(animals.rglob("*_depth.png")).write_bytes(b"broken")
    result = invoke("pack", animals, tmp_path / "set")
    assert result.exit_code == 0
    assert "1 left out" in result.output
    strict = invoke("pack", animals, tmp_path / "other", "--strict")
    assert isinstance(strict.exception, DataError)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("verb", ["pack", "verify", "procedural"])
def test_help_has_an_example(verb):
    result = invoke(verb, "--help")
    assert result.exit_code == 0
    assert "Example: g3dr data" in result.output


def test_species_must_be_numbers(tmp_path):
    result = invoke("procedural", tmp_path / "x", "--species", "0,fish")
    assert "--species: got '0,fish'" in str(result.exception)
