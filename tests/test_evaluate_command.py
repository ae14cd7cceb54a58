"""`g3dr evaluate`: which checkpoint is meant, where the record goes, what is printed, what is refused."""

import json
import re

import pytest
from cli_fixture import g3dr
from evaluation_fixture import only_at_the_end, packed_request
from typer.testing import CliRunner

from g3dr.errors import CheckpointError, DataError
from orchestrator.cli.main import app
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.evaluating.data import find_selection
from orchestrator.evaluating.subject import find_subject
from orchestrator.ledger import Ledger
from orchestrator.report import build_report
from orchestrator.store import open_store

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A root with packed animals and one run, with checkpoints at steps 6 and 12."""
    folder = tmp_path_factory.mktemp("root")
    request = only_at_the_end(packed_request(folder, "training.checkpoint_every=6", "evaluation.images=4", "evaluation.meshes=0"))
    list(compute_run(request, str(folder), Placement()))
    return folder, request


def as_json(*words):
    """What a program reads: progress is elsewhere."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_run_is_measured_into_its_own_evaluations_and_only_once(trained, monkeypatch):
    folder, request = trained
    words = ("evaluate", request.spec.id[:8], "--data", "animals", "--root", folder, "--images", 8, "--views", 1)
    said = g3dr(*words)
    for part in (
        "PSNR, novel views (dB)",
        "the input image copied",
        "KID(efficientnet-lite0)",
        "real against real",
        "8 images of the test split",
    ):
        assert part in said
    assert f"next: g3dr report evaluations --root {folder}" in said
    path = re.search(r"record: (runs/\w+/evaluations/\w+\.json)", said)[1]
    record = json.loads((folder / path).read_bytes())
    assert record["run"] == request.spec.id
    assert (record["images"], record["views"], record["checkpoint"]["step"]) == (8, 1, 12)
    monkeypatch.setattr("orchestrator.evaluating.measuring.measure_here", lambda *_: pytest.fail("measured again"))
    assert as_json(*words) == record


def test_an_earlier_checkpoint_and_one_from_elsewhere_get_ids_of_their_own(trained, tmp_path):
    folder, request = trained
    earlier = f"runs/{request.spec.id}/checkpoints/00000006"
    words = ("--data", "animals", "--root", folder, "--images", 4)
    record = as_json("evaluate", earlier, *words)
    assert record["run"] != request.spec.id
    assert record["checkpoint"]["step"] == 6
    copied = tmp_path / "copy"
    copied.mkdir()
    for name in ("checkpoint.json", "model.safetensors"):
        (copied / name).write_bytes((folder / earlier / name).read_bytes())
    again = as_json("evaluate", copied / "model.safetensors", *words, "--species", request.selection.manifest().species()[0])
    assert again["run"] == record["run"]  # the same weights
    assert again["id"] != record["id"]
    assert Ledger(open_store(str(folder))).status(record["run"]).state == "finished"


def test_what_was_measured_has_a_report(trained):
    folder, request = trained
    for _listed in range(2):
        g3dr("evaluate", f"runs/{request.spec.id}", "--data", "animals", "--root", folder, "--images", 4, "--list-as", "mine")
    store = open_store(str(folder))
    assert [entry["run"] for entry in Ledger(store).stage("mine", "evaluate")["runs"]] == [request.spec.id]
    page = store.read_bytes(build_report(store, "mine").index).decode()
    assert "measured with g3dr evaluate" in page
    assert "mine" in g3dr("status", "--root", folder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"checkpoint": "nothing/here"}, "no checkpoint, run or stage of this name"),
        ({"checkpoint": "abcdef01"}, "no run of this id"),
        ({"--data": "animal"}, 'did you mean "animals"?'),
        ({"--species": "unicorn"}, "no species 'unicorn'"),
        ({"--split": "val"}, "--split: got 'val', allowed: test or train"),
        ({"--extractor": "vgg"}, "--extractor: got 'vgg', allowed: efficientnet_lite0 or inception_v3"),
        ({"--images": "0"}, "evaluation.images: got 0"),
        ({"--tasks": "-1"}, "--tasks: got -1"),
    ],
)
def test_bad_input_is_refused_with_a_sentence_and_nothing_is_written(trained, changes, sentence):
    folder, request = trained
    before = open_store(str(folder)).list("")
    given = {"checkpoint": request.spec.id, "--data": "animals", "--root": str(folder), **changes}
    options = [word for name, value in given.items() if name != "checkpoint" for word in (name, value)]
    result = CliRunner().invoke(app, ["evaluate", given["checkpoint"], *options])
    assert result.exit_code != 0
    assert sentence in str(result.exception)
    assert open_store(str(folder)).list("") == before


def test_data_is_found_by_name_path_or_uri(trained):
    folder, _ = trained
    store = open_store(str(folder))
    (name,) = {path.split("/")[1] for path in store.list("datasets")}
    found = {find_selection(word, store, "test", None) for word in ("animals", name, f"datasets/{name}", f"{folder}/datasets/{name}")}
    assert len(found) == 1
    with pytest.raises(DataError, match=r"no rows in split 'val'"):
        find_selection("animals", store, "val", None)


def test_a_damaged_index_is_refused(tmp_path):
    (tmp_path / "checkpoint.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: damaged"):
        find_subject(str(tmp_path), open_store(str(tmp_path / "root")))


def test_help_has_an_example():
    assert "Example: g3dr evaluate quickstart/pretrain --data animals" in g3dr("evaluate", "--help")
