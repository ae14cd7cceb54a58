"""`g3dr weights import` and `export`: published files become checkpoints and checkpoints published files, here and on object stores."""

import io
import json
import sys

import pytest
import torch
from goldens_recipe import Golden, recipe_input, recipe_state
from published_fixture import PUBLISHED, SHAPES, authors_file, changed, in_order, saver

from g3dr.config import GeneratorConfig, ModelConfig
from g3dr.published.shapes import expected_shapes
from orchestrator.checkpoints import load_model
from orchestrator.cli.main import main
from orchestrator.store import FolderStore, open_store

pytestmark = pytest.mark.unit


@pytest.fixture
def saved(tmp_path):
    return saver(tmp_path)


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs `g3dr weights ...`; returns exit code, output and error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["g3dr", "weights", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_planes_of_an_imported_file_equal_the_golden(saved, command, tmp_path):
    golden = Golden("unet_medium_recipe")
    size, features = int(golden["image_size"]), int(golden["feature_dim"])
    config = ModelConfig(GeneratorConfig(resolution=size, width=int(golden["dim"]), features=features), PUBLISHED)
    weights = recipe_state(expected_shapes(config), int(golden["weight_seed"]))
    document = {"step": 5, "model": {f"module.{name}": value for name, value in weights.items()}, "opt": {}, "scheduler": {}}
    code, said, _ = command("import", saved(document), tmp_path / "imported")
    assert code == 0
    assert "32 px, width 32, multipliers 1, 2, 4, 8, 256 position channels, 8 features, decoder width 64, with attention" in said
    model = load_model(str(tmp_path / "imported"), FolderStore(tmp_path))
    rgbd = recipe_input(int(golden["input_seed"]), size)
    with torch.no_grad():
        planes = model.planes(rgbd[:, :3], rgbd[:, 3:])
    golden.check("input_rgbd", rgbd)
    golden.check("planes_sub", planes[..., ::2, ::2], 1e-4)
    golden.check("planes_mean", planes.mean(), 1e-4)
    golden.check("planes_std", planes.std(), 1e-4)
    assert not golden.untouched


def test_the_command_imports_and_says_what_it_found(saved, command, tmp_path):
    file = saved(authors_file())
    code, said, _ = command("import", file, tmp_path / "imported")
    index = json.loads((tmp_path / "imported" / "checkpoint.json").read_text())
    assert code == 0
    assert index["step"] == 1234
    assert index["config"]["renderer"]["layout"] == "published"
    assert f"{file.stat().st_size:,} bytes" in said
    assert f"optimizer state taken over for {len(SHAPES)} tensors" in said
    assert f"from: {tmp_path / 'imported'}" in said
    code, _, error = command("import", file, tmp_path / "imported")
    assert (code, "something here already" in error) == (2, True)
    assert command("import", file, tmp_path / "imported", "--replace")[0] == 0


def test_the_command_exports_what_it_imported(saved, command, tmp_path):
    command("import", saved(authors_file()), tmp_path / "imported")
    code, said, _ = command("export", tmp_path / "imported", tmp_path / "out.pt")
    assert code == 0
    assert "training layout" in said
    document = torch.load(tmp_path / "out.pt", weights_only=True)
    assert list(document) == ["step", "model", "opt", "scheduler"]
    assert list(document["model"]) == [f"module.{name}" for name in SHAPES]
    assert command("export", tmp_path / "imported", tmp_path / "out.pt")[0] == 2


def test_a_refused_file_leaves_nothing_behind(saved, command, tmp_path):
    code, _, error = command("import", saved(changed(wings=torch.zeros(2))), tmp_path / "imported")
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "imported").exists()


def test_the_sha256_behind_a_file_is_compared(saved, command, tmp_path):
    file = saved(authors_file())
    code, _, error = command("import", f"{file}#sha256={'0' * 64}", tmp_path / "imported")
    assert (code, "its SHA-256 is" in error) == (2, True)
    code, _, error = command("import", f"{file}#sha256=12", tmp_path / "imported")
    assert (code, "64 hexadecimal digits" in error) == (2, True)


@pytest.mark.data
def test_a_file_on_an_object_store_goes_to_an_object_store(command, s3, monkeypatch, tmp_path):
    monkeypatch.setenv("G3DR_CACHE", str(tmp_path / "cache"))
    buffer = io.BytesIO()
    torch.save(authors_file(), buffer)
    store = open_store(s3.uri)
    store.write_bytes("in/checkpoint.pt", buffer.getvalue())
    code, said, _ = command("import", f"{s3.uri}/in/checkpoint.pt", f"{s3.uri}/imported")
    assert code == 0, said
    assert torch.equal(load_model(f"{s3.uri}/imported", store).final_conv.bias, in_order()["final_conv.bias"])
    assert command("export", f"{s3.uri}/imported", f"{s3.uri}/out.pt", "--layout", "bare")[0] == 0
    assert store.exists("out.pt")
    code, _, error = command("import", f"{s3.uri}/in/absent.pt", tmp_path / "x")
    assert (code, "there is no file here" in error) == (2, True)
