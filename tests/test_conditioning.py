"""Embeddings, names and feature maps that condition the generator: off as published, nothing changed before training, learned in it."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from g3dr.backbones import load_perceptual, load_semantic, loading
from g3dr.backbones.lpips import STAGE_WIDTHS, LpipsVgg16, _layers, load_calibration
from g3dr.backbones.sizes import EMBEDDING_CHANNELS, STAGE_CHANNELS
from g3dr.conditioning import sources as conditioning_sources
from g3dr.config import ConditioningConfig, GeneratorConfig, LossTerm, ModelConfig, ObjectiveConfig, RendererConfig, TrainingConfig
from g3dr.errors import CheckpointError, ConfigError, DataError, WeightsMissingError
from g3dr.losses import Objective
from g3dr.model import CONDITIONING_PREFIXES, G3DR
from g3dr.training.checkpoint import load_model, read_checkpoint, write_checkpoint
from g3dr.training.trainer import Trainer
from g3dr.types import Batch, Conditioning

pytestmark = pytest.mark.unit

PLAIN = ModelConfig(
    GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False),
    RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6),
)
LITE = "efficientnet_lite0"
PARTS = {
    "image": ConditioningConfig(embedding="image", embedding_backbone=LITE),
    "text": ConditioningConfig(embedding="text"),
    "class": ConditioningConfig(embedding="class", classes=("fish", "bird"), withheld=0.0),
    "stages": ConditioningConfig(stages=LITE),
    "semantics": ConditioningConfig(semantic_channels=5),
    "all": ConditioningConfig(embedding="image", embedding_backbone=LITE, stages=LITE, semantic_channels=5),
}
NAMES = ["fish", "bird", "fish", "mouse"]


class SmallNetwork:
    """Stands in for every frozen network where a test is not about the network: colours and brightness, repeated to its width."""

    name, sha256 = "small", "0" * 64

    def embed(self, images):
        pooled = functional.adaptive_avg_pool2d(images, 8).flatten(1)
        return pooled.repeat(1, 7)[:, : EMBEDDING_CHANNELS[LITE]]

    def stage_features(self, images, deepest=None):
        shallow = enumerate(STAGE_CHANNELS[LITE])
        return [functional.avg_pool2d(images, 2 ** min(stage, 4)).repeat(1, width // 3 + 1, 1, 1)[:, :width] for stage, width in shallow]

    def embed_text(self, texts):
        return torch.stack([torch.linspace(0, sum(text.encode()), EMBEDDING_CHANNELS["clip_vit_b16"]).cos() for text in texts])


@pytest.fixture
def small(monkeypatch):
    network = SmallNetwork()
    for load in ("load_semantic", "load_perceptual", "load_text"):
        monkeypatch.setattr(conditioning_sources, load, lambda *_: network)
    conditioning_sources._text_embedding.cache_clear()
    yield network
    conditioning_sources._text_embedding.cache_clear()


def conditioned(part: str) -> G3DR:
    return G3DR(replace(PLAIN, conditioning=PARTS[part]))


def make_batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 3, 16, 16, generator=generator) * 2 - 1
    return Batch(images, torch.rand(4, 1, 16, 16, generator=generator) * 2 + 4, ["a", "b", "c", "d"], NAMES)


def make_trainer(model: G3DR) -> Trainer:
    objective = ObjectiveConfig(clip=LossTerm("l1", 0.0), perceptual=LossTerm("l2", 0.0), pooled_rgb=LossTerm("l1", 1.0))
    settings = TrainingConfig(steps=8, batch_size=4, rays_per_image=24, learning_rate=1e-2, novel_probability=0.5)
    return Trainer(model, Objective(objective), settings, seed=3)


def trained(part: str, steps: int = 4) -> G3DR:
    model = conditioned(part)
    trainer = make_trainer(model)
    for step in range(steps):
        trainer.run_step(make_batch(step))
    return model.eval()


@torch.no_grad()
def rows(model: G3DR, names=None) -> torch.Tensor:
    batch = make_batch()
    return model.encode(batch.images, batch.depths, model.condition(batch.images, names)).rows


def test_the_default_has_the_published_parameters_and_nothing_else():
    assert not [name for name in G3DR(PLAIN).state_dict() if name.startswith(CONDITIONING_PREFIXES)]
    assert ModelConfig().conditioning == ConditioningConfig()


@pytest.mark.parametrize("part", PARTS)
def test_switching_a_part_on_changes_nothing_before_training(small, part):
    plain, model = G3DR(PLAIN), conditioned(part)
    added = set(model.state_dict()) - set(plain.state_dict())
    assert added
    assert all(name.startswith(CONDITIONING_PREFIXES) and not model.state_dict()[name].any() for name in added)
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in plain.state_dict().items())
    torch.testing.assert_close(rows(model, NAMES), rows(plain), rtol=0, atol=2e-6)


@pytest.mark.parametrize("part", [part for part in PARTS if part != "semantics"])
def test_training_uses_a_part_and_the_result_depends_on_it(small, part):
    model = trained(part)
    learned = [name for name in model.state_dict() if name.startswith("conditioning.")]
    assert all(model.state_dict()[name].any() for name in learned)
    batch = make_batch()
    with torch.no_grad():
        told = model.encode(batch.images, batch.depths, model.condition(batch.images, NAMES)).rows
        other = model.condition(batch.images.flip(0), NAMES[::-1])
        assert not torch.allclose(told, model.encode(batch.images, batch.depths, other).rows, atol=1e-4)


@pytest.mark.parametrize("part", ["text", "class"])
def test_an_unknown_species_adds_nothing_and_no_names_mean_unknown(small, part):
    model = trained(part)
    condition = model.condition(make_batch().images, ["fish", "", "bird", "fish"]).embedding
    assert not condition[1].any()
    assert torch.equal(condition[0], condition[3])
    assert not torch.equal(condition[0], condition[2])
    assert torch.equal(rows(model), rows(model, [""] * 4))
    assert not torch.allclose(rows(model), rows(model, ["fish"] * 4), atol=1e-4)


def test_a_class_that_is_not_listed_is_unknown(small):
    model = trained("class")
    assert torch.equal(rows(model, ["mouse"] * 4), rows(model))


def test_names_that_are_withheld_train_nothing(small):
    model = G3DR(replace(PLAIN, conditioning=replace(PARTS["class"], withheld=1.0)))
    make_trainer(model).run_step(make_batch())
    assert not model.conditioning.embedding.weight.any()


@pytest.mark.parametrize("part", PARTS)
def test_a_published_checkpoint_starts_a_conditioned_model_where_that_is_allowed(small, part):
    published = G3DR(PLAIN)
    published.initialize(5)
    model = conditioned(part)
    with pytest.raises(CheckpointError, match="missing"):
        load_model(model, published.state_dict(), "there")
    load_model(model, published.state_dict(), "there", may_lack=CONDITIONING_PREFIXES)
    torch.testing.assert_close(rows(model, NAMES), rows(published), rtol=0, atol=2e-6)
    with pytest.raises(CheckpointError, match="unknown"):
        load_model(published, model.state_dict(), "there", may_lack=CONDITIONING_PREFIXES)


def test_what_may_be_lacking_is_named_and_nothing_else_may_lack():
    state = {name: tensor for name, tensor in G3DR(PLAIN).state_dict().items() if name != "final_conv.bias"}
    with pytest.raises(CheckpointError, match=r"1 missing \(final_conv.bias\)"):
        load_model(conditioned("class"), state, "there", may_lack=CONDITIONING_PREFIXES)


def test_a_checkpoint_holds_no_frozen_network_and_gives_the_same_model_back(small):
    model = trained("all")
    size = sum(tensor.numel() for tensor in model.state_dict().values())
    assert size == sum(parameter.numel() for parameter in model.parameters())
    checkpoint = read_checkpoint(write_checkpoint(make_trainer(model).checkpoint()), "there")
    again = G3DR(checkpoint.config)
    load_model(again, checkpoint.model, "there")
    assert torch.equal(rows(again), rows(model))


def test_a_resumed_training_is_the_uninterrupted_one(small):
    whole = trained("all", steps=4).state_dict()
    first = make_trainer(conditioned("all"))
    for step in range(2):
        first.run_step(make_batch(step))
    second = make_trainer(conditioned("all"))
    second.restore(read_checkpoint(write_checkpoint(first.checkpoint()), "there"), "there")
    for step in range(2, 4):
        second.run_step(make_batch(step))
    assert all(torch.equal(tensor, whole[name]) for name, tensor in second.model.state_dict().items())


def test_a_frozen_encoder_leaves_conditioning_to_train(small):
    model = conditioned("all")
    encoder = set(model.encoder_parameters())
    assert not [name for name in encoder if name.startswith(CONDITIONING_PREFIXES)]


@pytest.mark.parametrize(
    ("part", "given"),
    [
        ("class", Conditioning()),
        ("stages", Conditioning()),
        ("semantics", Conditioning(embedding=torch.zeros(4, 2))),
    ],
)
def test_conditioning_of_another_model_is_refused(small, part, given):
    batch = make_batch()
    with pytest.raises(DataError, match=r"does not fit the model, which takes .* model\.condition"):
        conditioned(part).encode(batch.images, batch.depths, given)


def test_conditioning_is_float32_without_gradients_under_autocast(small):
    model = conditioned("all")
    with torch.autocast("cpu", torch.bfloat16):
        conditioning = model.condition(make_batch().images)
        rows = model.encode(make_batch().images, make_batch().depths, conditioning).rows
    tensors = [conditioning.embedding, *conditioning.stages]
    assert {tensor.dtype for tensor in tensors} == {torch.float32} == {rows.dtype}
    assert not any(tensor.requires_grad for tensor in tensors)


def test_feature_maps_have_their_levels_size_and_one_scale(small):
    stages = conditioned("stages").condition(make_batch().images).stages
    assert [tuple(stage.shape) for stage in stages] == [(4, 16, 16, 16), (4, 24, 8, 8)]
    assert all(torch.allclose(stage.square().mean(dim=1), torch.ones(()), atol=1e-4) for stage in stages)


def test_vgg16_gives_the_four_levels_of_the_published_encoder_their_own_size(monkeypatch):
    network = LpipsVgg16(nn.Sequential(*_layers()).eval().requires_grad_(False), load_calibration(), "0" * 64)
    monkeypatch.setattr(conditioning_sources, "load_perceptual", lambda *_: network)
    generator = replace(PLAIN.generator, multipliers=(1, 1, 1, 1))
    model = G3DR(replace(PLAIN, generator=generator, conditioning=ConditioningConfig(stages="lpips_vgg16")))
    batch = make_batch()
    conditioning = model.condition(batch.images)
    assert [tuple(stage.shape[1:]) for stage in conditioning.stages] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    assert model.encode(batch.images, batch.depths, conditioning).rows.isfinite().all()


def test_a_sentence_is_embedded_once(small, monkeypatch):
    seen = []
    embed = small.embed_text
    monkeypatch.setattr(small, "embed_text", lambda texts: (seen.extend(texts), embed(texts))[1], raising=False)
    model = conditioned("text")
    for _ in range(2):
        model.condition(make_batch().images, NAMES)
    assert seen == ["a photo of a fish", "a photo of a bird", "a photo of a mouse"]


def test_the_known_sizes_are_those_of_the_networks():
    images = torch.zeros(1, 3, 32, 32)
    assert load_semantic(LITE).embed(images).shape[1] == EMBEDDING_CHANNELS[LITE]
    assert tuple(stage.shape[1] for stage in load_perceptual(LITE).stage_features(images)) == STAGE_CHANNELS[LITE]
    assert tuple(widths[-1] for widths in STAGE_WIDTHS) == STAGE_CHANNELS["lpips_vgg16"]


def test_a_network_that_an_evaluation_loaded_serves_a_training():
    loading._build.cache_clear()
    images = make_batch().images.requires_grad_()
    with torch.inference_mode():
        conditioned("image").condition(images)
    load_semantic(LITE).embed(images).sum().backward()
    assert images.grad.any()


def test_missing_weights_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("G3DR_WEIGHTS", str(tmp_path))
    monkeypatch.delenv("G3DR_ALLOW_DOWNLOAD", raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    model = G3DR(replace(PLAIN, conditioning=ConditioningConfig(embedding="image")))
    with pytest.raises(WeightsMissingError, match="CLIP ViT-B/16"):
        model.condition(make_batch().images)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"embedding": "class"}, "classes"),
        ({"classes": ("a", "a")}, "classes"),
        ({"embedding": "text", "embedding_backbone": LITE}, "embedding_backbone"),
        ({"prompt": "a photo"}, "prompt"),
        ({"withheld": 1.5}, "withheld"),
        ({"semantic_channels": -1}, "semantic_channels"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, path):
    with pytest.raises(ConfigError, match=rf"model\.conditioning\.{path}"):
        ConditioningConfig(**changes)
