"""`g3dr data depth` from the outside: what it refuses, what its help says, and which pools it would start."""

from pathlib import Path

import pytest
from picture_files import write_pair
from typer.testing import CliRunner

from g3dr.errors import ConfigError, DataError, WeightsMissingError
from orchestrator.cli.data import app
from orchestrator.depth.recipes import RECIPES
from orchestrator.depth.runners import Pool
from orchestrator.shards import FolderSource, pack
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def photographs(tmp_path):
    """The URI of a dataset without depth maps."""
    for number in range(2):
        write_pair(tmp_path / "photos" / "ant", f"{number}", size=(12, 12))
    store = open_store(str(tmp_path / "photographs"))
    pack(FolderSource(str(tmp_path / "photos"), held_out=0, depth="none"), store)
    return store.uri


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["--estimator", "transformer"], ConfigError, 'did you mean "transformers"'),
        (["--estimator", "transformers"], ConfigError, "--weights: got None"),
        (["--estimator", "transformers", "--weights", "./nowhere"], WeightsMissingError, "no such folder"),
        (["--estimator", "files"], ConfigError, "--depth-root: got None"),
        (["--estimator", "files", "--depth-root", "docs"], DataError, "no file here ends with _no_such_suffix"),
        (["--estimator", "procedural", "--weights", "x"], ConfigError, "the estimator procedural has no such option"),
        (["--estimator", "procedural"], DataError, "needs a dataset packed from the procedural generator, not from 'folder'"),
        (["--estimator", "procedural", "--batch-size", "0"], ConfigError, "--batch-size: got 0"),
        (["--estimator", "procedural", "--in-place"], ConfigError, "nothing with --in-place"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(photographs, store, words, kind, says):
    if "--depth-root" in words:
        words = [*words, "--depth-suffix", "_no_such_suffix"]
    result = invoke("depth", photographs, store.uri, *words)
    assert isinstance(result.exception, kind)
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not Path(store.uri).exists()


def test_places_are_checked(photographs, tmp_path):
    dataset = photographs
    assert "or --in-place for a new version" in str(invoke("depth", dataset, "--estimator", "files").exception)
    assert "another place than DATASET" in str(invoke("depth", dataset, dataset + "/", "--estimator", "files").exception)
    assert "no dataset here" in str(invoke("depth", tmp_path / "none", tmp_path / "x", "--estimator", "files").exception)


def test_pools_fit_their_cluster():
    assert Pool.fitting((8, 0), None, None) == Pool(1, 8.0, 0.0)
    assert Pool.fitting((8, 0), 3, None) == Pool(3, 2.0, 0.0)
    assert Pool.fitting((16, 4), None, None) == Pool(4, 1.0, 1.0)
    assert Pool.fitting((16, 4), None, 0.5) == Pool(8, 1.0, 0.5)
    assert Pool.fitting((16, 4), None, 0) == Pool(1, 16.0, 0.0)
    with pytest.raises(ConfigError, match=r"--gpus-per-worker: got 0\.5, allowed: 0 or less for 2 workers: there are 0 GPUs"):
        Pool.fitting((8, 0), 2, 0.5)
    with pytest.raises(ConfigError, match="--workers: got 9, allowed: 8 or less: there are 8 CPUs"):
        Pool.fitting((8, 0), 9, None)


def test_every_estimator_is_in_the_help():
    text = invoke("depth", "--help").output
    assert "Example: g3dr data depth" in text
    assert all(name in text for name in RECIPES)
