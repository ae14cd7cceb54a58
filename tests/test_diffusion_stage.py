"""From an experiment's two stages to drawn pictures: the worker trains autoencoder and denoiser, and `g3dr generate` finds them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from g3dr.errors import DataError
from orchestrator.cli.main import app
from orchestrator.computing.placement import Placement
from orchestrator.computing.worker import compute_run
from orchestrator.datasets import prepare_datasets
from orchestrator.evaluating.data import find_selection
from orchestrator.experiment.loading import check_document
from orchestrator.generating.measuring import GeneratedSet, measure_set
from orchestrator.generating.models import open_own
from orchestrator.generating.references import training_pictures
from orchestrator.ledger import Ledger, generated
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import Knowledge
from orchestrator.running.watching import Watch
from orchestrator.store import open_store

CODES = {
    "resolution": 16, "patch": 2, "principal": True, "latent_channels": 6, "widths": [8], "blocks": 1, "attention": False,
    "norm_groups": 4, "perceptual": 0, "average_decay": 0.5,
}  # fmt: skip
DENOISER = {
    "resolution": 16, "widths": [8], "blocks": 1, "attention_levels": [], "head_width": 8, "norm_groups": 4, "average_decay": 0.5,
    "sampling_steps": 3, "samples_per_class": 2,
}  # fmt: skip
DOCUMENT = {
    "name": "words",
    "data": {
        "animals": {"procedural": {"species": [0, 1], "individuals": 9, "held_out": 4, "views": 0, "resolution": 16, "shadows": False}}
    },
    "training": {"steps": 3, "batch_size": 4, "log_every": 1, "checkpoint_every": 2, "learning_rate": 1e-3},
    "evaluation": {"images": 8},
    "stages": [
        {"name": "codes", "kind": "network", "data": "animals", "network": {"autoencoder": CODES}},
        {"name": "denoiser", "kind": "network", "data": "animals", "autoencoder": "codes", "network": {"denoiser": DENOISER}},
    ],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A ledger with both runs, finished and measured; the root and the denoiser's request."""
    root = str(tmp_path_factory.mktemp("results"))
    experiment = check_document(DOCUMENT, "words.yaml")
    knowledge = Knowledge(prepare_datasets(open_store(root), experiment, Watch()))
    for stage in experiment.stages:
        (request,) = expand_stage(experiment, stage, knowledge)
        assert list(compute_run(request, root, Placement()))[-1].state == "finished"
    return root, request


def test_both_networks_are_trained_and_measured(trained):
    root, request = trained
    ledger = Ledger(open_store(root))
    record = ledger.evaluation(request.spec.id, request.measurement)
    assert record["network"] == "denoiser"
    assert {"denoising_loss", "fd", "species_accuracy"} <= set(record["metrics"])
    codes = ledger.latest_checkpoint(request.spec.autoencoder)
    assert codes.model["principal.analysis"].abs().sum() > 0
    assert ledger.latest_checkpoint(request.spec.id).model["latent_deviation"] > 0


def test_a_killed_denoiser_goes_on_to_the_bit(trained, tmp_path):
    root, request = trained
    whole = Ledger(open_store(root)).latest_checkpoint(request.spec.id)
    other = open_store(str(tmp_path))
    for file in open_store(root).list(f"runs/{request.spec.autoencoder}"):
        path = f"runs/{request.spec.autoencoder}/{file.rpartition(f'{request.spec.autoencoder}/')[2]}"
        other.write_bytes(path, open_store(root).read_bytes(path))
    begun = compute_run(request, other.uri, Placement())
    next(begun)
    begun.close()
    assert list(compute_run(request, other.uri, Placement()))[-1].state == "finished"
    resumed = Ledger(other).latest_checkpoint(request.spec.id)
    assert whole.step == resumed.step == 3
    assert all(torch.equal(value, resumed.model[name]) for name, value in whole.model.items())


def test_candidates_are_judged_by_the_pictures_of_the_training(trained, tmp_path):
    root, request = trained
    words = ["--species", "all", "-n", "2", "--candidates", "2", "--only-pictures", "--evaluate", "animals", "--device", "cpu"]
    result = CliRunner().invoke(
        app, ["generate", *words, "--root", root, "--denoiser", f"runs/{request.spec.id}", "-o", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/generation.json")]
    assert len(records) == 4
    for record in records:
        assert record["judge"] == "efficientnet-lite0 likeness"
        assert record["seed"] == max(record["candidates"], key=lambda one: one["score"])["seed"]
    evaluation = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert evaluation["images"] == 4
    assert {"fd", "fd_floor", "kid", "inception_score", "species_accuracy"} <= set(evaluation["metrics"])
    assert "species_accuracy" in result.output
    (kept,) = generated.read_all(open_store(root), request.spec.id).values()
    assert kept["evaluation"] == evaluation
    assert kept["settings"] == {"steps": 3, "guidance": 3.0, "sampler": "dpm"}
    assert f"set {kept['id']}" in (tmp_path / "out" / "report.html").read_text()
    assert open_store(root).exists(generated.sheet_path(request.spec.id, kept["id"]))


def test_a_set_too_small_to_be_compared_is_refused_before_anything_is_drawn(trained, tmp_path):
    root, request = trained
    words = ["--species", "all", "-n", "1", "--only-pictures", "--evaluate", "animals", "--device", "cpu"]
    words += ["--root", root, "--denoiser", f"runs/{request.spec.id}", "-o", str(tmp_path / "out")]
    with pytest.raises(DataError, match="4 pictures or more on every side, the smallest has 2"):
        CliRunner().invoke(app, ["generate", *words], catch_exceptions=False)
    assert not list((tmp_path / "out").rglob("*.png"))


def test_real_pictures_in_the_place_of_generated_ones_are_as_far_as_the_floor(trained):
    root, request = trained
    store = open_store(root)
    selection = find_selection("animals", store, "test", None)
    train = replace(selection, split="train")
    from orchestrator.computing.evaluation.choosing import Choice

    rows = Choice(train, 100).load(16, views=False)
    pictures = rows.images.permute(0, 2, 3, 1).numpy()
    record = measure_set(GeneratedSet(pictures, rows.species, list(rows.depths[:, 0].numpy())), selection, store)
    metrics = record["metrics"]
    assert record["images"] == 8
    assert metrics["species_accuracy"] == 1.0
    assert metrics["chance_species_accuracy"] == 0.5
    assert record["counts"] == {"generated": 10, "held_out": 8, "training": 10, "depths": 10, "held_out_depths": 8}
    assert [entry["looks_like"] for entry in record["species"].values()] == [{name: 5} for name in record["species"]]
    assert sum(sum(entry["real_looks_like"].values()) for entry in record["species"].values()) == 8
    assert 0.4 * metrics["fd_floor"] < metrics["fd"] < 2.5 * metrics["fd_floor"]
    assert metrics["nfs"] == pytest.approx(metrics["nfs_real"], rel=0.3)
    with pytest.raises(DataError, match="4 pictures or more"):
        measure_set(GeneratedSet(pictures[:2], rows.species[:2]), selection, store)
    assert training_pictures("no such version", store) is None
    assert training_pictures(request.spec.data.version, store).dataset == selection.dataset


def test_a_trained_model_draws_species_that_differ(trained):
    root, request = trained
    model = open_own(f"runs/{request.spec.id}", open_store(root)).generator
    from g3dr.diffusion.config import SamplingSettings
    from g3dr.diffusion.generator import Wish

    drawn = [model.generate(Wish(name), [3, 4], SamplingSettings(), lambda *told: None) for name in model.classes]
    assert drawn[0].shape == (2, 16, 16, 3)
    assert not np.array_equal(drawn[0][0], drawn[0][1])
