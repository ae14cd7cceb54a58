"""The small depth network behind `g3dr data depth` and in recipes: shipped or of one's own training, boosted or not."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
import torch
from picture_files import file_of, smooth
from PIL import Image
from pyarrow import parquet
from typer.testing import CliRunner

from g3dr.depth import Picture
from g3dr.depth.config import DepthNetworkConfig
from g3dr.depth.network import DepthNetwork
from g3dr.errors import CheckpointError, ConfigError, WeightsMissingError
from g3dr.networks import network_to_json
from g3dr.pictures import decode_depth
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from orchestrator.cli.data import app
from orchestrator.depth.recipes import Wishes, recipe_named
from orchestrator.shards import FolderSource, pack, read_manifest
from orchestrator.shards.rows import rows_of_table
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


@pytest.fixture(scope="module")
def own_training(tmp_path_factory):
    """A checkpoint as a stage of kind `network` leaves it, with fresh weights."""
    config, folder = DepthNetworkConfig(resolution=64, width=16), tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    checkpoint = Checkpoint(3, DepthNetwork(config).state_dict(), {}, network=network_to_json(config))
    for name, data in write_checkpoint(checkpoint).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def photographs(tmp_path):
    """The URI of a dataset of two pictures without depth maps."""
    folder = tmp_path / "photos" / "ant"
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(file_of(Image.fromarray(smooth(96, 80, number))))
    store = open_store(str(tmp_path / "photographs"))
    pack(FolderSource(str(tmp_path / "photos"), held_out=0, depth="none"), store)
    return store.uri


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_without_a_word_the_shipped_network_estimates(photographs, tmp_path):
    result = invoke("depth", photographs, tmp_path / "deep")
    assert result.exit_code == 0, result.output
    manifest = read_manifest(open_store(str(tmp_path / "deep")))
    assert manifest.has_depth
    assert manifest.source["estimator"] == recipe_named("network", Wishes()).identity()
    tables = [parquet.read_table(pa.BufferReader(open_store(str(tmp_path / "deep")).read_bytes(shard.path))) for shard in manifest.shards]
    depths = [decode_depth(row.example.depth) for table in tables for row in rows_of_table(table)]
    assert [depth.shape for depth in depths] == [(80, 96), (80, 96)]
    assert all(depth.std() > 0.05 for depth in depths)


def test_boosted_depth_is_another_dataset(photographs, own_training, tmp_path):
    sources = []
    for words in ([], ["--boost"]):
        place = tmp_path / f"deep{len(words)}"
        result = invoke("depth", photographs, place, "--weights", own_training, *words)
        assert result.exit_code == 0, result.output
        sources.append(read_manifest(open_store(str(place))).source["estimator"])
    plain, boosted = sources
    assert plain["name"] == "network"
    assert (boosted["name"], boosted["of"]) == ("boosted", plain)


def test_a_recipe_makes_the_same_estimator_in_another_process(own_training):
    recipe = recipe_named("network", Wishes(weights=str(own_training), boost=True))
    again = pickle.loads(pickle.dumps(recipe)).build(None)
    assert again.identity() == recipe.identity()
    [values] = again.estimate([Picture("a", smooth(150, 100))])
    assert values.shape == (100, 150)
    assert np.isfinite(values).all()


def test_other_weights_in_the_same_place_are_refused(own_training, tmp_path):
    folder = tmp_path / "changing"
    folder.mkdir()
    for path in own_training.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    recipe = recipe_named("network", Wishes(weights=str(folder)))
    config = DepthNetworkConfig(resolution=64, width=16)
    torch.manual_seed(1)
    for name, data in write_checkpoint(Checkpoint(3, DepthNetwork(config).state_dict(), {}, network=network_to_json(config))).items():
        (folder / name).write_bytes(data)
    with pytest.raises(WeightsMissingError, match="other weights here than where the command was started"):
        recipe.build(None)


def test_wrong_weights_and_options_are_one_sentence(photographs, tmp_path):
    for words, kind, says in (
        (["--weights", tmp_path / "nothing"], CheckpointError, "nothing"),
        (["--revision", "v1"], ConfigError, "--revision: got 'v1', allowed: nothing: the estimator network has no such option"),
        (["--estimator", "files", "--depth-root", "x", "--boost"], ConfigError, "the estimator files has no such option"),
    ):
        result = invoke("depth", photographs, tmp_path / "deep", *words)
        assert isinstance(result.exception, kind), result.output
        assert says in str(result.exception)
        assert "\n" not in str(result.exception)
    assert not (tmp_path / "deep").exists()
