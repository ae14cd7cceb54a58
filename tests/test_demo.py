"""The demo without a browser: photographs become files one after the other, and what cannot is a sentence."""

import io
import json

import numpy as np
import pytest
import trimesh
from cli_fixture import g3dr
from demo_fixture import OPTIONS, OTHER, RUN, SIDE, STAND_IN, WITH_CUTTER, Nearer, ask, demo, photo, send, until, write_models
from PIL import Image
from stand_in_estimator import RedRecipe

from g3dr.errors import CheckpointError, ConfigError, DataError, WeightsMissingError
from orchestrator.checkpoints import find
from orchestrator.demo.examples import RESOLUTION, example, example_names
from orchestrator.demo.helpers import SHIPPED, Helpers, Named, helpers
from orchestrator.demo.models import choice, models
from orchestrator.demo.server import DemoServer
from orchestrator.demo.studio import Photo, Studio, file_name
from orchestrator.depth.recipes import RECIPES, Wishes
from orchestrator.ledger import Ledger

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def server(store):
    with demo(store) as server:
        yield server


def end_of(server, sent):
    """Returns how a photograph that was sent stands when it is over."""
    assert sent[0] == 202, sent
    path = f"/api/photographs/{json.loads(sent[2])['photograph']}"

    def over():
        standing = json.loads(ask(server, path)[2])
        return standing if standing["state"] not in ("waiting", "running") else None

    return path, until(over)


# A photograph's way


def test_a_photograph_becomes_files_to_keep(server):
    path, standing = end_of(server, send(server, photo(), "my owl (2).png"))
    assert standing["state"] == "done", standing["error"]
    assert standing["facts"]["name"] == "my_owl_2"
    assert standing["facts"]["estimator"] == "a stand-in"
    endings = {".glb", ".ply", ".mp4", ".webp", "_sheet.png", "_distances.png", "_input.png", "_depth.png"}
    assert set(standing["files"]) == {f"my_owl_2{ending}" for ending in endings}
    contents = {name: ask(server, f"{path}/{name}") for name in standing["files"]}
    assert {name: len(answer[2]) for name, answer in contents.items()} == standing["files"]
    glb = contents["my_owl_2.glb"]
    assert glb[1]["Content-Type"] == "model/gltf-binary"
    assert mesh_of(glb[2]).is_watertight


def test_the_page_shows_what_the_model_was_given(store):
    data = photo(40)
    files = studio(store).reconstruct(Photo("owl.png", data, "quickstart/pretrain"), silent).files
    seen = np.asarray(Image.open(io.BytesIO(files["owl_input.png"])))
    assert seen.shape == (SIDE, SIDE, 3), "as many pixels as the model has"
    truth = np.asarray(Image.open(io.BytesIO(data)).resize((SIDE, SIDE), Image.Resampling.BOX))
    assert np.abs(seen.astype(int) - truth).max() <= 1
    depth = np.asarray(Image.open(io.BytesIO(files["owl_depth.png"]))).sum(axis=2)
    side = len(depth)
    assert depth[side // 2, side // 2] > depth[0, 0] + 100, "near is bright"


def test_the_object_is_cut_out_where_somebody_can(store):
    whole, alone = (
        studio(store, WITH_CUTTER).reconstruct(Photo("owl.png", photo(), "quickstart/pretrain", cut), silent).files for cut in (False, True)
    )
    widths = [np.ptp(mesh_of(files["owl.glb"]).bounds[:, 0]) for files in (whole, alone)]
    assert widths[1] < 0.8 * widths[0]
    sheet = np.asarray(Image.open(io.BytesIO(alone["owl_sheet.png"])))
    assert (sheet[-8, -8] == 255).all(), "white around it"
    with pytest.raises(DataError, match="nobody is here to find the object"):
        studio(store).reconstruct(Photo("owl.png", photo(), "quickstart/pretrain", alone=True), silent)


def mesh_of(glb):
    return next(iter(trimesh.load_scene(io.BytesIO(glb), file_type="glb").geometry.values()))


def test_a_model_stays_in_memory_until_another_is_chosen(store, monkeypatch):
    opened = []
    monkeypatch.setattr("orchestrator.demo.studio.open_model", lambda name, root: opened.append(name) or _Unready)
    made = studio(store)
    for name in ("quickstart/pretrain", "quickstart/pretrain", f"runs/{RUN}", "another/pretrain"):
        made._model_named(name)
    assert opened == ["quickstart/pretrain"], "all of them are the same run"


class _Unready:
    def to(self, device):
        return self


def studio(store, helped_by=STAND_IN):
    import torch

    return Studio(store, helped_by, OPTIONS, torch.device("cpu"))


def silent(doing, part):
    pass


def test_progress_is_told_in_words_and_parts(store):
    told = []
    studio(store).reconstruct(Photo("owl.png", photo(), "quickstart/pretrain"), lambda *report: told.append(report))
    words = list(dict.fromkeys(doing for doing, _ in told))
    assert words == ["reading the photograph", "reading the model", "estimating its depth", "looking at it from all sides"]
    assert [part for doing, part in told if doing == words[-1]][-1] == 1


@pytest.mark.parametrize(("data", "said"), [(b"hello", "picture"), (photo()[:200], ""), (b"\0\0\0\x18ftypheic\0\0", "save it as JPEG")])
def test_what_is_no_picture_is_a_sentence(server, data, said):
    _, standing = end_of(server, send(server, data))
    assert standing["state"] == "failed"
    assert said in standing["error"]
    assert "Traceback" not in standing["error"]


def test_a_missing_estimator_is_a_sentence(store):
    def make():
        raise WeightsMissingError("the depth network: no such file; install the package again")

    with demo(store, Helpers(Named("nothing", make))) as server:
        _, standing = end_of(server, send(server, photo()))
    assert standing["error"] == "the depth network: no such file; install the package again"


def test_an_estimator_that_fails_is_a_sentence(store):
    class Broken(Nearer):
        def estimate(self, pictures):
            raise RuntimeError("the device fell off")

    with pytest.raises(DataError, match=r"^broken stopped .*the device fell off.*try again"):
        studio(store, Helpers(Named("broken", Broken))).reconstruct(Photo("owl.png", photo(), "quickstart/pretrain"), silent)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("owl.jpg", "owl"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\Eule.JPG", "Eule"),
        ("日本.png", "photo"),
        ("", "photo"),
        ("a" * 300, "a" * 60),
    ],
)
def test_files_get_safe_names(given, name):
    assert file_name(given) == name


# Models


def test_trained_models_are_listed_by_name(store):
    names = [model.name for model in models(store)]
    assert names == ["another/pretrain", f"runs/{RUN}", "quickstart/pretrain"], "no networks, nothing that was only looked at"
    assert choice(store, None)[0].name == "quickstart/pretrain"
    assert {model.name for model in choice(store, "another/pretrain")} == set(names)
    assert choice(store, f"runs/{RUN}")[0].name == f"runs/{RUN}"


def test_runs_of_a_stage_without_a_best_are_listed_one_by_one(tmp_path):
    store = write_models(tmp_path)
    for path in list(store.list(f"runs/{RUN}")):
        store.write_bytes(path.replace(RUN, OTHER), store.read_bytes(path))
    labels = {model.name: model.label for model in models(store) if model.label.startswith("another/sweep")}
    assert labels == {f"runs/{RUN}": "another/sweep: sweep-a", f"runs/{OTHER}": "another/sweep: sweep-b"}
    record = Ledger(store).stage("another", "sweep") | {"best": OTHER}
    store.write_bytes("experiments/another/stages/sweep.json", json.dumps(record).encode())
    assert "another/sweep (best of 2)" in [model.label for model in models(store)]
    assert find("another/sweep", store)[1].startswith(f"runs/{OTHER}/")


def test_without_a_model_the_command_says_what_to_run(tmp_path):
    with pytest.raises(CheckpointError, match="no trained model here yet; to get one run `make quickstart`"):
        g3dr("demo", "--root", tmp_path, "--no-open")
    with pytest.raises(CheckpointError, match="nowhere/else: no checkpoint, run or stage of this name"):
        g3dr("demo", "--root", write_models(tmp_path).uri, "--checkpoint", "nowhere/else", "--no-open")


def test_the_command_tells_address_model_and_estimator_and_ends_quietly(store, monkeypatch):
    def interrupt(server):
        raise KeyboardInterrupt

    opened = []
    monkeypatch.setattr(DemoServer, "serve_forever", interrupt)
    monkeypatch.setattr("orchestrator.demo.helpers.helpers", lambda name, wishes: STAND_IN)
    monkeypatch.setattr("webbrowser.open", opened.append)
    words = g3dr("demo", "--root", store.uri, "--checkpoint", "another/pretrain", "--device", "cpu")
    assert "/: another/pretrain from" in words
    assert "depth from a stand-in" in words
    assert words.endswith("ended")
    assert opened == [], "nobody looks at a screen here"
    words = g3dr("demo", "--root", store.uri, "--device", "cpu", "--open", "--host", "0.0.0.0")
    assert "there is no password" in words
    assert opened == [word.rstrip(":") for word in words.split() if word.startswith("http://127.0.0.1:")]
    assert len(opened) == 1


# Helpers


def test_the_estimator_is_that_of_other_verbs_and_made_once(monkeypatch):
    monkeypatch.setitem(RECIPES, "network", RedRecipe)
    found = helpers(None, Wishes()).depth
    assert found.name == SHIPPED
    assert found.made() is found.made()
    assert helpers(None, Wishes(weights="mine/depth")).depth.name == "red_is_near (weights 01234567)"
    with pytest.raises(ConfigError, match="--estimator"):
        helpers("procedural", Wishes())


def test_cutting_out_is_offered_where_the_package_and_its_model_are(monkeypatch, tmp_path):
    monkeypatch.setitem(RECIPES, "network", RedRecipe)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setattr("orchestrator.demo.helpers.find_spec", lambda name: object())
    assert helpers(None, Wishes()).background is None, "without its model"
    (tmp_path / "u2net.onnx").touch()
    assert helpers(None, Wishes()).background.name == "u2net"


# Examples


def test_examples_are_drawn_and_differ():
    drawn = {name: example(name) for name in example_names()[:2]}
    assert {Image.open(io.BytesIO(data)).size for data in drawn.values()} == {(RESOLUTION, RESOLUTION)}
    assert len(set(drawn.values())) == 2
    assert example("../secret") is None
