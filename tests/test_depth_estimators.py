"""The estimators by themselves: depth files, procedural truth, and networks of the transformers library."""

import numpy as np
import pytest
from tiny_depth_models import change, write_depth_anything, write_dpt, write_glpn, write_zoedepth

from g3dr.depth import FileEstimator, Measure, Picture, ProceduralEstimator
from g3dr.depth.files import aligned
from g3dr.depth.model_folder import model_folder, read_model
from g3dr.depth.model_kinds import measure_of
from g3dr.errors import CheckpointError, ConfigError, DataError, WeightsMissingError
from g3dr.pictures import decode_image, encode_depth
from g3dr.procedural import ProceduralConfig, examples, make_example

pytestmark = pytest.mark.unit

DISPARITY, METRES = Measure("disparity", is_scaled=False), Measure("depth", is_scaled=True)


def picture(height, width, key="fish/1", seed=0):
    return Picture(key, np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_depth_files_are_read_by_key():
    depth = np.random.default_rng(1).uniform(4, 6, (5, 7))
    found = FileEstimator({"fish/1_depth.png": encode_depth(depth)}.__getitem__, "f").estimate([picture(5, 7)])[0]
    assert np.abs(found - depth).max() <= 1 / 65536 + 1e-6


def test_a_depth_file_that_is_missing_or_of_8_bits_is_refused():
    def read(name):
        raise FileNotFoundError(name)

    with pytest.raises(DataError, match=r"no depth map fish/1_d\.png"):
        FileEstimator(read, "f", "_d.png").estimate([picture(5, 7)])
    with pytest.raises(DataError, match=r"fish/1_depth\.png: .*16-bit"):
        FileEstimator(lambda _: make_example(CONFIG, examples(CONFIG)[0]).image, "f").estimate([picture(16, 16)])


def test_a_larger_map_is_laid_pixel_over_pixel():
    rows, columns = np.mgrid[0:40, 0:60]
    whole = 4 + (rows * 60 + columns) / 2400
    small = aligned(whole, 4, 6)
    assert np.array_equal(small, whole[5::10, 5::10])
    cut = aligned(whole, 8, 8)
    assert np.array_equal(cut, whole[2::5, 12:50:5])
    with pytest.raises(DataError, match="60 x 40, its picture 9 x 8"):
        aligned(whole, 8, 9)


def test_rounded_proportions_are_equal():
    assert aligned(np.full((375, 500), 5.0), 96, 128).shape == (96, 128)
    assert aligned(np.full((333, 500), 5.0), 85, 128).shape == (85, 128)


CONFIG = ProceduralConfig(species=(3, 1), individuals=3, held_out=1, views=1, resolution=16)


def test_procedural_depth_has_the_bytes_that_were_drawn():
    drawn = [make_example(CONFIG, one) for one in examples(CONFIG)]
    found = ProceduralEstimator(CONFIG).estimate([Picture(one.key, decode_image(one.image)) for one in drawn])
    assert [encode_depth(depth) for depth in found] == [one.depth for one in drawn]


@pytest.mark.parametrize(("given", "says"), [(picture(16, 16), "no such individual"), (picture(8, 8, "bird_03/0001"), "8 x 8")])
def test_procedural_depth_is_refused_for_what_was_not_drawn(given, says):
    with pytest.raises(DataError, match=says):
        ProceduralEstimator(CONFIG).estimate([given])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_depth_anything(tmp_path_factory.mktemp("depth_anything"))


def estimator(folder, kind=None):
    from g3dr.depth.models import ModelEstimator

    return ModelEstimator(read_model(folder, kind))


@pytest.mark.parametrize(
    ("write", "architecture", "measure"),
    [
        (write_depth_anything, "depth_anything", DISPARITY),
        (write_dpt, "dpt", DISPARITY),
        (write_glpn, "glpn", METRES),
        (write_zoedepth, "zoedepth", METRES),
    ],
)
def test_models_give_maps_of_the_pictures_sizes(tmp_path, write, architecture, measure):
    made = estimator(write(tmp_path))
    assert made.measure == measure
    assert made.identity()["architecture"] == architecture
    pictures = [picture(60, 80), picture(64, 64, seed=1), picture(60, 80, seed=2)]
    maps = made.estimate(pictures)
    assert [one.shape for one in maps] == [(60, 80), (64, 64), (60, 80)]
    assert all(np.isfinite(one).all() and one.std() > 0 for one in maps)
    # Pictures of one size are computed together, and come back in their own places.
    rounding = 1e-4 * maps[0].std()
    for one, together in zip(pictures, maps, strict=True):
        assert np.abs(made.estimate([one])[0] - together).max() < rounding
    assert np.abs(maps[0] - maps[2]).max() > 100 * rounding


def test_a_picture_that_its_processor_cannot_take_is_named_by_its_size(folder):
    with pytest.raises(DataError, match="fails on a picture of 90 x 3"):
        estimator(folder).estimate([picture(3, 90)])


def test_weights_are_known_by_their_content(folder, tmp_path):
    first = read_model(folder).identity()
    assert read_model(write_depth_anything(tmp_path / "same")).identity() == first
    assert read_model(write_depth_anything(tmp_path / "other", seed=1)).identity()["weights"] != first["weights"]


def test_a_model_without_some_of_its_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    write_dpt(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    # Published checkpoints lack the unused ones; nothing may depend on them.
    kept = {name: value for name, value in weights.items() if "fusion_stage.layers.0.residual_layer1." not in name}
    assert len(kept) < len(weights)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert estimator(tmp_path).estimate([picture(32, 32)])[0].shape == (32, 32)
    del kept["head.head.0.weight"]
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 of the model's weights are not in its files, the first is head\.head\.0\.weight"):
        estimator(tmp_path)


def test_damaged_weights_are_refused(tmp_path):
    write_dpt(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="not a depth model that transformers can load"):
        estimator(tmp_path)


def test_memory_that_does_not_suffice_halves_the_batch(folder, monkeypatch):
    import torch

    made = estimator(folder)
    network, sizes = made._network, []

    def small(pixel_values):
        sizes.append(len(pixel_values))
        if len(pixel_values) > 1:
            raise torch.OutOfMemoryError
        return network(pixel_values=pixel_values)

    pictures = [picture(20, 20, seed=seed) for seed in range(3)]
    expected = [made.estimate([one])[0] for one in pictures]
    monkeypatch.setattr(made, "_network", small)
    assert all(np.array_equal(*pair) for pair in zip(made.estimate(pictures), expected, strict=True))
    assert sizes == [3, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("config", "measure"),
    [
        ({"model_type": "depth_anything"}, DISPARITY),
        ({"model_type": "depth_anything", "depth_estimation_type": "metric"}, METRES),
        ({"model_type": "dpt", "backbone_config": {"model_type": "bit"}}, DISPARITY),
        ({"model_type": "dpt"}, DISPARITY),
        ({"model_type": "zoedepth"}, METRES),
        ({"model_type": "glpn"}, METRES),
    ],
)
def test_known_architectures_say_what_they_give(config, measure):
    assert measure_of(config) == measure


@pytest.mark.parametrize("config", [{"model_type": "dpt", "backbone_config": {"model_type": "dinov2"}}, {"model_type": "new"}])
def test_what_others_give_must_be_said(config):
    with pytest.raises(ConfigError, match=r"depth\.kind: got None, allowed: disparity or depth .*gives either"):
        measure_of(config)
    assert measure_of(config, "depth") == METRES


def test_a_model_that_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("G3DR_ALLOW_DOWNLOAD", raising=False)
    with pytest.raises(WeightsMissingError, match=r"someone/no-such-depth-model@v1 is not on this machine: fetch .*G3DR_ALLOW_DOWNLOAD=1"):
        model_folder("someone/no-such-depth-model", "v1")
    with pytest.raises(WeightsMissingError, match=r"\./nowhere: no such folder"):
        model_folder("./nowhere")


def test_a_folder_that_is_not_whole(tmp_path):
    with pytest.raises(WeightsMissingError, match=r"no config\.json here"):
        model_folder(str(tmp_path))
    for name in ("config.json", "preprocessor_config.json", "pytorch_model.bin"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(WeightsMissingError, match=r"no \*\.safetensors here \(pickled weights are not opened"):
        model_folder(str(tmp_path))


def test_a_configuration_that_is_none(tmp_path):
    write_dpt(tmp_path)
    change(tmp_path, model_type="dpt")
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="not the configuration of a model"):
        read_model(tmp_path)
