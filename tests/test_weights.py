"""Weights that the user names, fetched by URI and checked by SHA-256, and the table of all."""

import hashlib
import json
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from g3dr.backbones import find_weights, finding, sources
from g3dr.backbones.places import Place, cached_file, setting_of
from g3dr.backbones.status import weights_status
from g3dr.errors import CheckpointError, ConfigError, WeightsMissingError
from orchestrator.cli.main import main
from orchestrator.computing.fetching import fetch_weights
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.experiment.settings import Settings
from orchestrator.runs import DataSelection, RunRequest, RunSpec
from orchestrator.store import open_store

pytestmark = pytest.mark.unit

CONTENT = b"weights of a network"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without weights beyond its packages, without leave to download, with an empty cache; returns a folder of it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("G3DR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    for variable in (finding.WEIGHTS_FOLDER, finding.ALLOW_DOWNLOAD, *map(setting_of, sources.SOURCES)):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def remote(machine):
    """A file elsewhere; returns its URI."""
    (machine / "elsewhere").mkdir()
    (machine / "elsewhere" / "clip.safetensors").write_bytes(CONTENT)
    return f"file://{machine}/elsewhere/clip.safetensors"


@pytest.fixture
def command(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["g3dr", "weights", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def state_of(name):
    return next(entry for entry in weights_status() if entry.name == name)


def test_settings_have_the_names_of_the_networks():
    assert setting_of("clip-vit-b16") == "G3DR_WEIGHTS_CLIP_VIT_B16"


def test_a_named_file_goes_before_every_other_place(machine, monkeypatch):
    for name in ("named", "folder"):
        (machine / name).mkdir()
        (machine / name / "clip-vit-b16.safetensors").write_bytes(CONTENT)
    monkeypatch.setenv("G3DR_WEIGHTS", str(machine / "folder"))
    assert find_weights("clip-vit-b16").parent.name == "folder"
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", str(machine / "named" / "clip-vit-b16.safetensors"))
    assert find_weights("clip-vit-b16").parent.name == "named"
    assert state_of("clip-vit-b16").source.startswith("G3DR_WEIGHTS_CLIP_VIT_B16=")


def test_a_named_file_is_compared_with_its_sha256(machine, monkeypatch):
    (machine / "clip.safetensors").write_bytes(CONTENT)
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{machine}/clip.safetensors#sha256={SHA256.upper()}")
    assert find_weights("clip-vit-b16").name == "clip.safetensors"
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{machine}/clip.safetensors#sha256={'0' * 64}")
    with pytest.raises(CheckpointError, match=rf"its SHA-256 is {SHA256}, G3DR_WEIGHTS_CLIP_VIT_B16 says 0000"):
        find_weights("clip-vit-b16")
    assert state_of("clip-vit-b16").state == "damaged"


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("s3://bucket/clip.safetensors", "a path, or a URI with #sha256="), ("clip.safetensors#sha256=12", "64 hexadecimal digits")],
)
def test_settings_that_cannot_be_used_say_what_is_allowed(machine, monkeypatch, text, allowed):
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", text)
    with pytest.raises(ConfigError, match=f"^G3DR_WEIGHTS_CLIP_VIT_B16: .*{allowed}"):
        find_weights("clip-vit-b16")


def test_a_uri_is_fetched_once_into_a_cache_named_by_its_sha256(machine, remote, monkeypatch):
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{remote}#sha256={SHA256}")
    assert state_of("clip-vit-b16").state == "not fetched"
    with pytest.raises(WeightsMissingError, match="has not been fetched"):
        find_weights("clip-vit-b16")
    expected = machine / "cache" / "weights" / SHA256 / "clip.safetensors"
    assert fetch_weights() == {"clip-vit-b16": expected}
    assert find_weights("clip-vit-b16") == expected
    assert expected.read_bytes() == CONTENT
    assert state_of("clip-vit-b16").state == "ready"
    (machine / "elsewhere" / "clip.safetensors").unlink()
    assert fetch_weights() == {"clip-vit-b16": expected}, "what is in the cache is not asked for again"


def test_another_file_than_expected_is_not_kept(machine, remote, monkeypatch):
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{remote}#sha256={'0' * 64}")
    with pytest.raises(WeightsMissingError, match=f"its SHA-256 is {SHA256}, expected was 0000"):
        fetch_weights()
    assert not [path for path in (machine / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("uri", ["file:///nowhere/clip.bin", "https://127.0.0.1:9/clip.bin", "ftp://host/clip.bin"])
def test_a_uri_without_a_file_is_one_sentence(machine, monkeypatch, uri):
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{uri}#sha256={SHA256}")
    with pytest.raises(WeightsMissingError, match=f"^{uri}: "):
        fetch_weights()


def test_a_web_server_gives_weights(machine, remote, monkeypatch):
    handler = partial(SimpleHTTPRequestHandler, directory=str(machine / "elsewhere"))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        place = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{place}/clip.safetensors#sha256={SHA256}")
        assert fetch_weights()["clip-vit-b16"].read_bytes() == CONTENT
        monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{place}/absent.safetensors#sha256={'1' * 64}")
        with pytest.raises(WeightsMissingError, match=r"cannot be fetched .*404"):
            fetch_weights()
        server.shutdown()
        thread.join()


@pytest.mark.data
def test_an_object_store_gives_weights(machine, s3, monkeypatch):
    open_store(s3.uri).write_bytes("weights/vgg.pth", CONTENT)
    monkeypatch.setenv("G3DR_WEIGHTS_VGG16", f"{s3.uri}/weights/vgg.pth#sha256={SHA256}")
    assert fetch_weights() == {"vgg16": cached_file(SHA256, "vgg.pth")}
    assert find_weights("vgg16").read_bytes() == CONTENT


def test_a_run_whose_weights_cannot_be_fetched_fails_with_the_sentence(machine, monkeypatch):
    monkeypatch.setenv("G3DR_WEIGHTS_VGG16", f"file://{machine}/nothing.pth#sha256={SHA256}")
    settings = Settings()
    spec = RunSpec(settings.model, settings.objective, settings.training, DataSelection("v", "train"))
    (progress,) = compute_run(RunRequest(spec, "a run", "stage", "nowhere"), str(machine / "root"), Placement())
    assert progress.state == "failed"
    assert "nothing.pth: there is no file here" in progress.error


def test_a_place_knows_its_file():
    place = Place.parse("s3://bucket/a/b.pth#sha256=" + SHA256, "x")
    assert (place.is_remote, place.file_name, place.sha256) == (True, "b.pth", SHA256)
    assert not Place.parse("/a/b.pth", "x").is_remote


def test_the_table_has_every_network_with_licence_size_and_what_to_do(machine, command):
    code, said, _ = command("status")
    assert code == 0
    for name, source in sources.SOURCES.items():
        assert name in said
        assert source.licence in said
        assert source.purpose
        assert source.size > 0
    assert "clip-vit-b16: fetch open_clip_model.safetensors of" in said
    assert "Next: " in said


def test_programs_read_the_table_as_json(machine, command):
    entries = {entry["name"]: entry for entry in json.loads(command("status", "--json")[1])}
    assert set(entries) == set(sources.SOURCES)
    assert (entries["efficientnet-lite0"]["state"], entries["efficientnet-lite0"]["source"]) == ("ready", "package")
    assert entries["efficientnet-lite0"]["sha256"].startswith("57934424")
    assert entries["lpips-calibration"]["state"] == "ready"
    assert (entries["vgg16"]["state"], entries["vgg16"]["path"]) == ("missing", None)


def test_the_command_fetches_what_is_named(machine, remote, command, monkeypatch):
    monkeypatch.setenv("G3DR_WEIGHTS_CLIP_VIT_B16", f"{remote}#sha256={SHA256}")
    code, said, _ = command("fetch")
    assert code == 0
    assert f"clip-vit-b16: {cached_file(SHA256, 'clip.safetensors')}" in said
    assert "0 fetched" in command("fetch")[1]
