"""Input that cannot be used: one sentence that says what, where and what is allowed; exit code 2; nothing started, nothing left."""

import sys

import numpy as np
import pytest
from PIL import Image
from tiny_study import write_study

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.errors import G3drError
from g3dr.model import G3DR
from g3dr.pictures import encode_depth, encode_image
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from orchestrator.cli.main import main

ONE_STAGE = "stages=[{name: pretrain, kind: train, data: animals}]"
GRAY_8_BIT = b"\x08\x00"  # bit depth and colour type in a PNG's header


@pytest.fixture(autouse=True)
def _without_ray(monkeypatch):
    """Whoever starts Ray for bad input fails; another test may have a cluster in this process."""

    def refuse():
        raise AssertionError("Ray was started")

    monkeypatch.setattr("orchestrator.running.execution.connected", refuse)
    monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs the study with something wrong in it and returns the sentence."""

    def run(*settings, file=None, root=None):
        words = [word for setting in settings for word in ("--set", setting)]
        place = root or str(tmp_path / "root")
        monkeypatch.setattr(sys, "argv", ["g3dr", "run", str(file or write_study(tmp_path)), "--yes", "--root", place, *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr().err.strip()
        assert left.value.code == 2, said
        assert said.startswith("error: ")
        assert said.count("\n") == 0, said
        assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []
        return said.removeprefix("error: ")

    return run


@pytest.fixture
def photographs(tmp_path):
    """A folder of four photographs with depth, in a class folder each."""
    chance = np.random.default_rng(0)
    for number in range(4):
        folder = tmp_path / "photos" / f"species_{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        picture = encode_image(chance.integers(0, 256, (16, 16, 3), dtype=np.uint8), "jpeg")
        (folder / f"{number}.jpg").write_bytes(picture)
        (folder / f"{number}_depth.png").write_bytes(encode_depth(chance.uniform(4, 6, (16, 16))))
    return tmp_path / "photos"


def of_folder(folder):
    return f"data.animals={{folder: {{path: {folder}}}}}", ONE_STAGE


@pytest.mark.unit
def test_a_typo_in_a_key(refused):
    said = refused("training.learning_rat=1e-3")
    assert "training.learning_rat" in said
    assert 'did you mean "learning_rate"?' in said


@pytest.mark.unit
def test_an_unknown_loss_form(refused):
    said = refused("objective.depth.form=l3")
    assert "objective.depth.form: got 'l3', allowed: l1, l2, smooth_l1, cosine" in said


@pytest.mark.unit
def test_a_key_twice(refused, tmp_path):
    file = write_study(tmp_path)
    file.write_text(file.read_text() + "name: again\n")
    lines = len(file.read_text().splitlines())
    assert refused(file=file) == f"tiny.yaml: name: got 'line 1 and line {lines}', allowed: each key once"


@pytest.mark.unit
def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "photos").mkdir()
    said = refused(*of_folder(tmp_path / "photos"))
    assert str(tmp_path / "photos") in said
    assert "no pictures here; expected <species>/name.jpg with name_depth.png beside it" in said


@pytest.mark.unit
def test_no_folder(refused, tmp_path):
    assert refused(*of_folder(tmp_path / "photos")) == f"{tmp_path / 'photos'}: no such folder"


@pytest.mark.unit
def test_a_depth_map_of_8_bits(refused, photographs):
    bad = photographs / "species_1" / "3_depth.png"
    Image.new("L", (16, 16), 7).save(bad)
    assert bad.read_bytes()[24:26] == GRAY_8_BIT
    said = refused(*of_folder(photographs))
    assert str(bad) in said
    assert "16" in said


@pytest.mark.unit
def test_a_truncated_photograph(refused, photographs):
    bad = photographs / "species_0" / "2.jpg"
    bad.write_bytes(bad.read_bytes()[:-100])
    said = refused(*of_folder(photographs))
    assert str(bad) in said
    assert "truncated" in said


@pytest.mark.unit
def test_more_workers_than_there_are_cpus(refused):
    said = refused("stages.pretrain.workers=500", "training.batch_size=500")
    assert "stage pretrain asks for 500 workers" in said
    assert "set stages.pretrain.workers or resources.cpus_per_worker lower" in said


@pytest.mark.unit
def test_a_checkpoint_of_another_size(refused, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    model = G3DR(ModelConfig(GeneratorConfig(resolution=16, width=16, multipliers=(1, 2), position_channels=4, features=8)))
    for name, data in write_checkpoint(Checkpoint(0, model.state_dict(), {})).items():
        (folder / name).write_bytes(data)
    said = refused(f"stages.pretrain.from={folder}")
    assert said.startswith(f"{folder}: the checkpoint does not fit the configured model")
    assert "of another size" in said


@pytest.mark.unit
def test_a_checkpoint_whose_weights_mean_something_else(refused, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    generator = GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False)
    model = G3DR(ModelConfig(generator, RendererConfig(layout="published", decoder_width=8)))
    for name, data in write_checkpoint(Checkpoint(0, model.state_dict(), {}, model.config)).items():
        (folder / name).write_bytes(data)
    said = refused(f"stages.pretrain.from={folder}")
    assert said == f"{folder}: trained with model.renderer.layout published, the stage has perspective; set model.renderer.layout=published"


@pytest.mark.unit
def test_no_checkpoint(refused, tmp_path):
    assert "no checkpoint here" in refused(f"stages.pretrain.from={tmp_path / 'nothing'}")


@pytest.mark.data
def test_a_missing_bucket(refused, s3):
    assert "the bucket nobody-made-this does not exist" in refused(root="s3://nobody-made-this/x")


@pytest.mark.data
def test_wrong_credentials(refused, s3_enforced, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-nobody-may-see")
    said = refused(root=f"{s3_enforced.uri}/wrong")
    assert "the credentials are wrong or expired" in said
    assert "a-secret-nobody-may-see" not in said


@pytest.mark.unit
def test_debug_shows_where_it_was_found(tmp_path, monkeypatch):
    file = write_study(tmp_path)
    monkeypatch.setattr(sys, "argv", ["g3dr", "run", str(file), "--root", str(tmp_path / "root"), "--set", "seed=x", "--debug"])
    with pytest.raises(G3drError, match="seed: got 'x'"):
        main()
