"""Published checkpoints in and out: layouts, derived configurations, moments, wrong and malicious files."""

from pathlib import Path

import pytest
import torch
from goldens_recipe import GOLDENS, recipe_state
from published_fixture import CONFIG, PUBLISHED, SHAPES, authors_file, changed, in_order, lightning_file, saver

from g3dr.config import ConditioningConfig, GeneratorConfig, ModelConfig, RendererConfig, TrainingConfig
from g3dr.errors import CheckpointError
from g3dr.model import G3DR
from g3dr.published import import_published, to_published
from g3dr.published.shapes import derive_config, expected_shapes
from g3dr.training.checkpoint import Checkpoint
from g3dr.training.learning_rate import beta1, learning_rate

pytestmark = pytest.mark.unit


@pytest.fixture
def saved(tmp_path):
    return saver(tmp_path)


@pytest.mark.parametrize(
    ("document", "found", "moments"),
    [
        (authors_file(), ("training", "module.", 1234), True),
        (authors_file(prefix=""), ("training", "", 1234), True),
        (authors_file(prefix="module._orig_mod."), ("training", "module._orig_mod.", 1234), True),
        (lightning_file(), ("lightning", "unet_model.", 77), False),
        (in_order(), ("bare", "", 0), False),
    ],
)
def test_every_layout_becomes_the_same_checkpoint(saved, document, found, moments):
    imported = import_published(saved(document))
    assert (imported.file.layout, imported.file.prefix, imported.checkpoint.step) == found
    assert imported.checkpoint.config == CONFIG
    assert {name: tuple(value.shape) for name, value in imported.checkpoint.model.items()} == SHAPES
    assert all(torch.equal(imported.checkpoint.model[name], value) for name, value in in_order().items())
    assert bool(imported.checkpoint.optimizer) == moments == (imported.left_out == "")


def test_tensors_of_other_networks_are_counted_not_kept(saved):
    imported = import_published(saved(lightning_file()))
    assert imported.file.others == 2
    assert "other networks" in imported.left_out


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(renderer=PUBLISHED),
        ModelConfig(GeneratorConfig(resolution=32, width=32, features=8), PUBLISHED),
        ModelConfig(
            GeneratorConfig(resolution=64, width=16, multipliers=(1, 2, 4), position_channels=16, attention=False),
            RendererConfig(layout="published", decoder_width=32),
        ),
        ModelConfig(
            GeneratorConfig(resolution=16, width=8, multipliers=(2, 1, 1), features=1), RendererConfig(layout="published", decoder_width=1)
        ),
    ],
)
def test_the_configuration_follows_from_the_shapes(config):
    assert derive_config(expected_shapes(config), "here") == config


def test_the_full_size_has_the_published_names_shapes_and_order():
    published = {}
    for line in (GOLDENS / "state_dict_full.txt").read_text().splitlines():
        name, shape = line.split(" ", 1)
        published[name] = tuple(int(size) for size in shape.strip("()").split(",") if size.strip())
    assert list(expected_shapes(ModelConfig()).items()) == list(published.items())


def test_without_a_position_map_the_resolution_must_be_named(saved):
    config = ModelConfig(GeneratorConfig(resolution=32, width=8, multipliers=(1, 2), position_channels=0, features=4), PUBLISHED)
    file = saved(recipe_state(expected_shapes(config), 0))
    with pytest.raises(CheckpointError, match="name it with --resolution"):
        import_published(file)
    assert import_published(file, 32).checkpoint.config == config


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (changed(["final_conv.bias", "mid_block1.mlp.1.bias"]), "2 missing (final_conv.bias, mid_block1.mlp.1.bias)"),
        (changed(wings=torch.zeros(2)), "1 unknown (wings)"),
        (changed(**{"final_conv.bias": torch.zeros(5)}), "1 of another size (final_conv.bias is [5], the model needs [12])"),
        (changed(["init_conv.weight"]), "missing"),
        (changed(["pos_embed"]), "1 missing (pos_embed)"),
        ({"state_dict": {"layer1.0.conv1.weight": torch.zeros(3)}}, "1 unknown (layer1.0.conv1.weight)"),
        ({"weights": {}, "epoch": 3}, "no model in it; found epoch, weights"),
        ({}, "no model in it; found nothing"),
        ([1, 2], "holds a list"),
        ({"model": {}}, "its model has no tensors"),
    ],
)
def test_a_wrong_file_gets_a_sentence_with_what_is_missing_and_too_much(saved, document, words):
    with pytest.raises(CheckpointError) as caught:
        import_published(saved(document), resolution=16)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class Marker:
    """Unpickling it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class Disguised:
    """Unpickling it would get at a function through getattr, which old schedulers name too."""

    def __reduce__(self):
        return getattr, (torch.optim.lr_scheduler.OneCycleLR, "__init__")


@pytest.mark.parametrize("where", ["top", "model", "scheduler"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_file_is_refused_and_not_run(tmp_path, where, zipped):
    marker, document = tmp_path / "marker", authors_file()
    if where == "top":
        document = Marker(marker)
    else:
        document[where]["payload"] = Marker(marker)
    torch.save(document, tmp_path / "bad.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="holds code"):
        import_published(tmp_path / "bad.pt")
    assert not marker.exists()
    torch.load(tmp_path / "bad.pt", weights_only=False)
    assert marker.exists(), "the file would have done it"


def test_what_old_schedulers_name_is_bound_to_nothing(saved):
    document = authors_file()
    document["scheduler"]["payload"] = Disguised()
    before = set(torch.serialization.get_safe_globals())
    imported = import_published(saved(document))
    assert imported.checkpoint.config == CONFIG
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("content", [b"", b"half a download", b"PK\x03\x04 half a zip"])
def test_damaged_and_absent_files_are_named(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.pt: damaged"):
        import_published(tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="no such file"):
        import_published(tmp_path / "absent.pt")


def test_moments_get_the_names_of_their_parameters(saved):
    """One step from zero moments with beta1 0.95 (the scheduler has moved it) and beta2 0.99."""
    moments = import_published(saved(authors_file())).checkpoint.optimizer
    for index, name in enumerate(SHAPES):
        torch.testing.assert_close(moments[f"{name}.exp_avg"], torch.full(SHAPES[name], 0.05 * 0.01 * (index + 1)))
        torch.testing.assert_close(moments[f"{name}.exp_avg_sq"], torch.full(SHAPES[name], 0.01 * (0.01 * (index + 1)) ** 2))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda opt: opt["param_groups"].append(opt["param_groups"][0]), "one group"),
        (lambda opt: opt["param_groups"][0]["params"].reverse(), "in their order"),
        (lambda opt: opt["state"][3].update(exp_avg=torch.zeros(1)), "exp_avg number 3 does not have the shape"),
        (lambda opt: opt["state"].clear(), "no moments"),
    ],
)
def test_moments_that_cannot_be_mapped_are_left_out_with_the_reason(saved, spoil, reason):
    document = authors_file()
    spoil(document["opt"])
    imported = import_published(saved(document))
    assert imported.checkpoint.optimizer == {}
    assert reason in imported.left_out


@pytest.mark.parametrize("layout", ["training", "lightning", "bare"])
def test_export_writes_what_import_reads(saved, layout):
    first = import_published(saved(authors_file())).checkpoint
    again = import_published(saved(to_published(first, layout, "here"), "again.pt"))
    assert again.file.layout == layout
    assert again.file.prefix == {"training": "module.", "lightning": "unet_model.", "bare": ""}[layout]
    assert again.checkpoint.config == first.config
    assert all(torch.equal(again.checkpoint.model[name], value) for name, value in first.model.items())
    if layout != "bare":
        assert again.checkpoint.step == 1234
        assert all(torch.equal(again.checkpoint.optimizer[name], value) for name, value in first.optimizer.items())


def test_torch_continues_from_an_exported_file(saved):
    first = import_published(saved(authors_file())).checkpoint
    document = torch.load(saved(to_published(first, "training", "here"), "again.pt"), weights_only=True)
    parameters = [torch.nn.Parameter(value.clone()) for value in in_order().values()]
    adam = torch.optim.Adam(parameters)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(adam, 5e-5, total_steps=300_000, pct_start=0.02)
    adam.load_state_dict(document["opt"])
    scheduler.load_state_dict(document["scheduler"])
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    adam.step()
    scheduler.step()
    assert scheduler.last_epoch == 1235
    assert adam.state[parameters[0]]["step"] == 1235
    assert adam.param_groups[0]["lr"] == pytest.approx(learning_rate(TrainingConfig(), 1235), rel=1e-6)
    assert adam.param_groups[0]["betas"][0] == pytest.approx(beta1(TrainingConfig(cycle_momentum=True), 1235), rel=1e-6)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ModelConfig(CONFIG.generator, RendererConfig(layout="perspective")), "model.renderer.layout is 'perspective'"),
        (
            ModelConfig(GeneratorConfig(depth_offset=5.0, plane_gain=8.0), PUBLISHED),
            "model.generator.depth_offset is 5.0, model.generator.plane_gain",
        ),
        (
            ModelConfig(renderer=PUBLISHED, conditioning=ConditioningConfig(semantic_channels=3)),
            "model.conditioning.semantic_channels is 3",
        ),
        (None, "did not record the model's configuration"),
    ],
)
def test_what_the_published_layout_cannot_say_is_refused(config, words):
    with pytest.raises(CheckpointError) as caught:
        to_published(Checkpoint(0, in_order(), {}, config), "training", "here")
    assert words in str(caught.value)


def test_a_new_model_can_be_exported(saved):
    model = G3DR(CONFIG)
    document = to_published(Checkpoint(0, model.state_dict(), {}, CONFIG), "training", "here")
    assert import_published(saved(document)).checkpoint.config == CONFIG
