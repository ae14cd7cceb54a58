"""Stages that train networks of the front end: what a file may say, which runs come of it, and what a worker makes of one."""

import json
from dataclasses import replace

import pytest
import torch
from network_fixture import Cleaner

from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig
from g3dr.errors import CheckpointError
from orchestrator.checkpoints import load_model
from orchestrator.computing import networks
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.datasets import prepare_datasets
from orchestrator.experiment.loading import check_document
from orchestrator.experiment.problems import ExperimentError
from orchestrator.ledger import Ledger
from orchestrator.network_weights import open_network
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.planning.work import work_of
from orchestrator.report.build import build_report
from orchestrator.running.watching import Watch
from orchestrator.runs import COMPUTE_VERSION, RunRequest
from orchestrator.store import open_store

ANIMALS = {"procedural": {"species": [0, 1], "individuals": 6, "held_out": 2, "views": 0, "resolution": 16, "supersampling": 1}}
CODES = {"name": "codes", "kind": "network", "data": "animals", "network": {"autoencoder": {"resolution": 32}}}
DENOISER = {"name": "words", "kind": "network", "data": "animals", "autoencoder": "codes", "network": {"denoiser": {"resolution": 32}}}
LARGER = {"name": "larger", "kind": "network", "data": "animals", "network": {"upscaler": {}}, "training": {"steps": 6}}
KNOWN = Knowledge({"animals": DatasetInfo("somewhere", "v1", ("fish", "owl"))})


def experiment_of(*stages: dict, **sections):
    training = {"steps": 8, "batch_size": 4, "log_every": 2, "checkpoint_every": 4, "learning_rate": 1e-2}
    document = {"name": "front", "data": {"animals": ANIMALS}, "training": training, "stages": list(stages), **sections}
    return check_document(document, "front.yaml")


def requests_of(experiment, name: str) -> list[RunRequest]:
    found = expand_stage(experiment, experiment.stage(name), KNOWN)
    assert isinstance(found, list)
    return found


def problems_of(*stages: dict) -> str:
    with pytest.raises(ExperimentError) as caught:
        experiment_of(*stages)
    return str(caught.value)


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ([{**CODES, "network": {}}], "stages.codes.network: got {}, allowed: exactly one of depth, autoencoder, denoiser, upscaler"),
        ([{**CODES, "network": {"depth": {}, "upscaler": {}}}], "exactly one of depth, autoencoder, denoiser, upscaler"),
        ([{**CODES, "network": {"dept": {}}}], 'did you mean "depth"?'),
        ([CODES, {**DENOISER, "autoencoder": None}], "autoencoder says in whose latent space the denoiser works"),
        ([{**DENOISER, "autoencoder": "codes"}, CODES], "stages.words.autoencoder: got 'codes', allowed: an earlier stage: there is none"),
        (
            [LARGER, {**DENOISER, "autoencoder": "larger"}],
            "stages.words.autoencoder: got 'larger', allowed: an earlier stage: there is none",
        ),
        ([{**LARGER, "autoencoder": "somewhere/else"}], "allowed: nothing (autoencoder is for denoisers"),
        ([LARGER, {**CODES, "from": "larger"}], "stages.codes.from: got 'larger', allowed: an earlier stage: there is none"),
        ([{**LARGER, "model": {}}], "stages.larger.model: got 'model', allowed: one of"),
        ([{**LARGER, "workers": 3}], "stages.larger.workers: got 3, allowed: a divisor of training.batch_size, which is 4"),
        ([LARGER, {"name": "train", "kind": "train", "data": "animals", "from": "larger"}], "stages.train.from: got 'larger'"),
    ],
)
def test_a_stage_at_fault_gets_its_sentence(stages: list[dict], sentence: str) -> None:
    assert sentence in problems_of(*stages)


def test_a_denoiser_follows_its_autoencoder_and_knows_all_species_of_its_data() -> None:
    experiment = experiment_of(CODES, {**DENOISER, "seeds": [0, 1]})
    (codes,) = requests_of(experiment, "codes")
    first, second = requests_of(experiment, "words")
    assert [first.spec.autoencoder, first.autoencoder_path] == [codes.spec.id, codes.final_checkpoint]
    assert first.spec.network == DenoiserConfig(resolution=32, classes=("fish", "owl"))
    assert [first.label, second.label] == ["words, seed 0", "words, seed 1"]
    assert first.spec.id != second.spec.id


def test_a_denoiser_sees_pictures_of_the_size_that_its_autoencoder_sees() -> None:
    experiment = experiment_of(CODES, {**DENOISER, "network": {"denoiser": {"resolution": 64}}})
    with pytest.raises(ExperimentError, match=r"stages\.words\.network\.denoiser\.resolution: got 64, allowed: 32"):
        requests_of(experiment, "words")


def test_the_id_of_a_run_follows_its_network_and_not_the_settings_of_g3dr() -> None:
    (request,) = requests_of(experiment_of(LARGER), "larger")
    (other_model,) = requests_of(experiment_of(LARGER, model={"generator": {"width": 64}}), "larger")
    (other_steps,) = requests_of(experiment_of({**LARGER, "training": {"steps": 7}}), "larger")
    changed = replace(request.spec, network=AutoencoderConfig())
    assert request.spec.id == other_model.spec.id
    assert len({request.spec.id, other_steps.spec.id, changed.id, replace(changed, autoencoder="one").id}) == 4


def test_the_ids_of_g3drs_own_runs_are_what_they_were() -> None:
    experiment = experiment_of({"name": "train", "kind": "train", "data": "animals"})
    (request,) = requests_of(experiment, "train")
    assert COMPUTE_VERSION == "3"
    assert request.spec.id == "11231f1c5e415873"


def test_a_request_travels_as_json() -> None:
    experiment = experiment_of(CODES, DENOISER)
    for name in ("codes", "words"):
        (request,) = requests_of(experiment, name)
        assert RunRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_runs_of_one_network_at_two_resolutions_are_work_of_one_family() -> None:
    (small,) = requests_of(experiment_of(CODES), "codes")
    (large,) = requests_of(experiment_of({**CODES, "network": {"autoencoder": {"resolution": 64}}}), "codes")
    assert work_of(small).family == work_of(large).family
    assert work_of(large).size == 4 * work_of(small).size


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> tuple[str, RunRequest]:
    folder = tmp_path_factory.mktemp("networks")
    experiment = experiment_of({**LARGER, "evaluation": {"images": 3}})
    knowledge = Knowledge(prepare_datasets(open_store(str(folder)), experiment, Watch()))
    request = expand_stage(experiment, experiment.stages[0], knowledge)[0]
    network = replace(request.spec.network, resolution=16)
    return str(folder), replace(request, spec=replace(request.spec, network=network))


def taught(monkeypatch, average_decay: float = 0.9) -> None:
    """Has a worker train the small network of the tests."""
    monkeypatch.setattr(networks, "make_learner", lambda *_: Cleaner(average_decay))


def test_an_interrupted_run_ends_as_the_undisturbed_one(packed, monkeypatch, tmp_path) -> None:
    taught(monkeypatch)
    _, request = packed
    ledgers = [Ledger(open_store(str(tmp_path / name))) for name in ("whole", "interrupted")]
    ended = list(compute_run(request, ledgers[0].store.uri, Placement()))[-1]
    begun = compute_run(request, ledgers[1].store.uri, Placement())
    next(begun)
    begun.close()
    assert ledgers[1].latest_step(request.spec.id) == 2
    again = list(compute_run(request, ledgers[1].store.uri, Placement()))[-1]
    assert ended.state == again.state == "finished"
    assert ended.metrics == again.metrics
    whole, resumed = (ledger.latest_checkpoint(request.spec.id) for ledger in ledgers)
    assert whole.step == resumed.step == 6
    assert all(torch.equal(value, resumed.model[name]) for name, value in whole.model.items())
    rows = [[row["loss"] for row in ledger.metrics(request.spec.id)] for ledger in ledgers]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 3


def test_a_finished_run_is_measured_on_held_out_images_and_found_by_its_name(packed, monkeypatch, tmp_path) -> None:
    taught(monkeypatch)
    _, request = packed
    ledger = Ledger(open_store(str(tmp_path)))
    report = list(compute_run(request, ledger.store.uri, Placement()))[-1]
    record = ledger.evaluation(request.spec.id, request.measurement)
    assert record["kind"] == "network"
    assert record["metrics"] == report.metrics
    assert 0 < report.metrics["error"] < 1
    found = open_network(f"runs/{request.spec.id}", ledger.store, "upscaler")
    assert found.config == Cleaner().config
    with pytest.raises(CheckpointError, match=r"holds a network of kind upscaler, not of kind depth"):
        open_network(f"runs/{request.spec.id}", ledger.store, "depth")
    with pytest.raises(CheckpointError, match=r"holds a network of kind upscaler, not a G3DR model"):
        load_model(f"runs/{request.spec.id}", ledger.store)


def test_the_page_has_the_figures_the_curves_and_the_sheets(packed, monkeypatch, tmp_path) -> None:
    taught(monkeypatch)
    _, request = packed
    ledger = Ledger(open_store(str(tmp_path)))
    list(compute_run(request, ledger.store.uri, Placement()))
    experiment = experiment_of(LARGER)
    ledger.write_experiment("front", {**experiment.to_json(), "datasets": [], "git": {}})
    entry = {"run": request.spec.id, "evaluation": request.measurement, "label": "larger", "state": "finished"}
    ledger.write_stage("front", "larger", {"name": "larger", "kind": "network", "seconds": 1.0, "runs": [entry]})
    paths = build_report(ledger.store, "front")
    page = ledger.store.read_bytes(paths.index).decode()
    figures = ledger.evaluation(request.spec.id, request.measurement)["metrics"]
    assert "Networks of the front end were trained; G3DR itself was not." in page
    assert f"larger, on 3 held-out images: error {figures['error']:.3f} (black {figures['error_of_black']:.3f})." in page
    assert '<img src="data:image/' in page.partition('id="networks"')[2]
    assert "Cleaned pictures" in page
    assert "late over the steps of the training" in page
    (summary,) = json.loads(ledger.store.read_bytes(paths.summary))["networks"]
    assert summary["error"] == figures["error"]
