"""Evaluations: what is in a record, that parts merge to the whole, that features of real pictures are kept."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation_fixture import only_at_the_end, packed_request, same_pictures

from benchmarks.evaluation import shares
from g3dr.metrics import FeatureStatistics, perceptual_distance
from g3dr.model import G3DR
from orchestrator.computing.evaluate import evaluator_for
from orchestrator.computing.evaluation import Part, evaluated
from orchestrator.computing.evaluation.choosing import Choice, spread
from orchestrator.computing.evaluation.distribution import RealPictures, compare, compare_species
from orchestrator.computing.evaluation.evaluator import AT_ONCE, Evaluator, Scope
from orchestrator.computing.evaluation.features import chunks, feature_path
from orchestrator.computing.evaluation.record import scope_of
from orchestrator.computing.evaluation.values import perceptual_values
from orchestrator.evaluating.tasks import cut
from orchestrator.ledger import Ledger
from orchestrator.shards.loading import load_rows
from orchestrator.shards.selection import Selection
from orchestrator.store import open_store

pytestmark = pytest.mark.unit
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def request_(tmp_path_factory):
    return only_at_the_end(packed_request(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def measured(request_, tmp_path_factory):
    """A ledger with one evaluation, made with everything."""
    ledger = Ledger(open_store(str(tmp_path_factory.mktemp("ledger"))))
    evaluator, model = evaluator_for(request_, ledger, CPU), G3DR(request_.spec.model).eval()
    part = evaluator.measure(model, scope=scope_of(evaluator.spec))
    found = evaluated(request_.spec.id, evaluator, part)
    found.write(ledger)
    return ledger, evaluator, model, part, found


def test_a_record_says_what_was_measured_on_what(measured, request_):
    ledger, evaluator, _, _, found = measured
    record = ledger.evaluation(request_.spec.id, request_.evaluation.id)
    assert record == json.loads(json.dumps(found.record))
    assert (record["images"], record["views"]) == (18, 3)
    assert record["extractor"]["name"] == "efficientnet-lite0"
    assert record["extractor"]["resolution"] == 16
    assert record["perceptual"] == {"name": evaluator.networks.perceptual.name, "sha256": evaluator.networks.perceptual.sha256}
    assert record["reference"] == {"split": "train", "images": 18, "kind": "other_images"}
    names = {
        "canonical_perceptual",
        "novel_perceptual",
        "copy_input_perceptual",
        "novel_ssim",
        "precision",
        "recall_floor",
        "kid_low",
        "fd_floor",
    }
    assert names <= record["metrics"].keys()
    assert set(record["per_image"]["species"]) == set(record["per_species"])
    for species in record["per_species"].values():
        assert {"kid", "kid_low", "kid_high", "fd", "fd_floor", "precision"} <= species.keys()
        assert species["distribution_images"] == 9
        assert "inception_score" not in species


def test_averages_are_those_of_the_columns(measured):
    record = measured[-1].record
    for name in ("novel_psnr", "depth_rmse", "nfs", "canonical_perceptual"):
        assert record["metrics"][name] == pytest.approx(np.mean(record["per_image"][name]), abs=1e-12)


def test_meshes_are_small_files_of_the_first_objects(measured, request_):
    ledger, *_, found = measured
    folder = f"runs/{request_.spec.id}/evaluations/{request_.evaluation.id}/meshes"
    assert [mesh["file"] for mesh in found.record["meshes"]] == [path.rpartition("/")[2] for path in ledger.store.list(folder)]
    assert 1 <= len(found.record["meshes"]) <= 2
    for mesh in found.record["meshes"]:
        data = ledger.store.read_bytes(f"{folder}/{mesh['file']}")
        assert data[:4] == b"glTF"
        assert len(data) == mesh["bytes"] <= 600_000
        assert mesh["triangles"] > 0
        assert mesh["key"] in found.record["per_image"]["key"][:2]


def test_parts_merge_to_exactly_the_whole(measured, request_):
    _ledger, evaluator, model, _part, found = measured
    pieces = [evaluator.measure(model, numbers, scope_of(evaluator.spec)) for numbers in chunks(range(18), AT_ONCE)]
    merged = evaluated(request_.spec.id, evaluator, Part.whole(pieces))
    assert [piece.features.count for piece in pieces] == [8, 8, 2]
    assert merged.record == found.record
    assert same_pictures(merged.pictures, found.pictures)
    assert merged.meshes == found.meshes


@pytest.mark.parametrize(("objects", "tasks"), [(18, 2), (400, 3), (1, 4), (8, 1), (1000, 7)])
def test_tasks_get_parts_that_begin_where_pictures_are_looked_at_together(objects, tasks):
    parts = cut(objects, tasks)
    assert [number for part in parts for number in part] == list(range(objects))
    assert all(part.start % AT_ONCE == 0 for part in parts)


def test_only_the_chosen_rows_are_read_and_they_are_those_of_the_whole(request_):
    selection = request_.evaluation_selection
    everything, choice = load_rows(selection, 16), Choice(selection, 7)
    wanted = spread(everything.species, 7)
    rows = choice.load(16)
    assert rows.keys == tuple(everything.keys[row] for row in wanted)
    assert choice.species == rows.species
    assert torch.equal(rows.images, everything.images[wanted])
    assert choice.load(16, range(2, 5)).keys == rows.keys[2:5]
    assert {key.partition("/")[0] for key in rows.keys} == set(everything.species)


def test_features_of_real_pictures_are_kept_in_the_store_by_version_extractor_and_size(measured, request_, monkeypatch):
    ledger, evaluator, _model, part, found = measured
    kept = ledger.store.list("features")
    version = request_.evaluation.data.version
    assert len(kept) == 2
    for path, split in zip(kept, ("test", "train"), strict=True):
        assert path.startswith(f"features/{version}/{split}-")
        assert path.endswith(f"-efficientnet-lite0-{evaluator.extractor.sha256[:8]}-16.safetensors")
    read = FeatureStatistics.from_bytes(ledger.store.read_bytes(kept[0]))
    assert read.sources == tuple(found.record["per_image"]["key"])
    forget_in_this_process()
    monkeypatch.setattr("orchestrator.computing.evaluation.features._computed", lambda *_: pytest.fail("computed again"))
    assert evaluated(request_.spec.id, evaluator, part).record == found.record


def test_damaged_features_are_computed_again(measured, request_, caplog):
    ledger, evaluator, _, part, found = measured
    path = feature_path(Choice(evaluator.selection, 18), evaluator.extractor, 16)
    good = ledger.store.read_bytes(path)
    ledger.store.write_bytes(path, good[:-7])
    forget_in_this_process()
    assert evaluated(request_.spec.id, evaluator, part).record == found.record
    assert ledger.store.read_bytes(path) == good
    assert "damaged" in caplog.text


def forget_in_this_process():
    from orchestrator.computing.evaluation import features

    features._remembered.cache_clear()


def test_a_training_split_is_compared_with_one_half_of_itself(request_, measured):
    spec = replace(request_.evaluation, data=replace(request_.evaluation.data, split="train"), images=8)
    selection = Selection(request_.data_uri, spec.data.version, "train")
    evaluator = Evaluator(spec, selection, 16, CPU, measured[0].store)
    part = evaluator.measure(measured[2], scope=Scope(shown=0))
    record = evaluated("0" * 16, evaluator, part).record
    assert record["reference"] == {"split": "train", "images": 4, "kind": "half"}
    assert record["views"] == 4  # nobody knows the truth of these: random ones, for the distribution
    assert "novel_psnr" not in record["metrics"]
    assert all("fd" not in species for species in record["per_species"].values())  # four of each are too few


def test_too_few_pictures_have_no_distribution():
    few = statistics("a/1", "a/2", "a/3")
    assert compare(few, RealPictures(few, "test"), seed=0).metrics == {}
    assert compare(few, RealPictures(few, "test"), seed=0).reference == {}


def test_each_species_is_compared_with_its_own():
    names = [f"{species}/{number}" for number in range(6) for species in "ab"]
    species = [name[0] for name in names]
    others = statistics(*(f"train/{name}" for name in names), shift={"a": 0.0, "b": 5.0}, seed=2)
    made, inputs = (statistics(*names, shift={"a": 0.0, "b": 5.0}, seed=seed) for seed in (0, 1))
    found = compare_species(made, species, RealPictures(inputs, "test", others, species), seed=0)
    swapped = compare_species(made, species, RealPictures(inputs, "test", others, [{"a": "b", "b": "a"}[name] for name in species]), seed=0)
    assert found["a"]["fd"] < 0.2 * swapped["a"]["fd"]
    assert found["b"]["distribution_images"] == 6


def statistics(*keys, shift=None, seed=0):
    chance = torch.Generator().manual_seed(seed)
    features = torch.randn(len(keys), 5, generator=chance)
    offsets = torch.tensor([(shift or {}).get(key.removeprefix("train/")[0], 0.0) for key in keys])
    return FeatureStatistics(features + offsets[:, None], torch.full((len(keys), 3), 1 / 3), keys)


def test_the_benchmark_says_which_share_of_the_time_is_not_rendering():
    found = dict(shares(quick=True))
    assert 0 < found["again_rendering_core_s"] < found["again_measuring_core_s"]
    assert 0 < found["again_elsewhere_percent"] < 100


@pytest.mark.parametrize("views", [1, 3])
def test_one_look_at_each_picture_gives_the_library_s_perceptual_distance(measured, views):
    network, chance = measured[1].networks.perceptual, torch.Generator().manual_seed(1)
    shown, image, made, true = (torch.rand(count, 3, 16, 16, generator=chance) * 2.4 - 1.2 for count in (1, 1, views, 5))
    image, true = image.clamp(-1, 1), true.clamp(-1, 1)
    found = perceptual_values(network, shown, image, made, true[:views])
    assert found["canonical_perceptual"] == pytest.approx(float(perceptual_distance(network, shown, image)), rel=1e-5)
    assert found["novel_perceptual"] == pytest.approx(float(perceptual_distance(network, made, true[:views]).mean()), rel=1e-5)
    copied = perceptual_distance(network, image.expand(views, -1, -1, -1), true[:views]).mean()
    assert found["copy_input_perceptual"] == pytest.approx(float(copied), rel=1e-5)
