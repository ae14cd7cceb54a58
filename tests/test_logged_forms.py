"""Losses in every form, whichever one was minimised: in the log of a training, and on held-out images."""

from dataclasses import replace

import pytest
import torch
from training_fixture import MODEL, WITH_NETWORKS, Network, gradients, make_batch, make_settings

from g3dr.backbones import Backbones
from g3dr.losses import Objective, compare, deep_feature_distance, embedding_distance, total_variation
from g3dr.metrics.objective_values import objective_values
from g3dr.model import G3DR
from g3dr.training.trainer import Trainer
from g3dr.types import Frames
from orchestrator.runs import DataSelection, RunSpec

pytestmark = pytest.mark.unit
FORMS = ("l1", "l2", "smooth_l1", "cosine")


def trainer(*, log_forms, novel):
    network, config = Network(), make_settings(novel_probability=float(novel), log_forms=log_forms)
    model = G3DR(MODEL)
    model.initialize(1)
    made = Trainer(model, Objective(WITH_NETWORKS, Backbones(network, network), log_forms=log_forms), config, seed=3)
    made.step = 11
    return made


@pytest.mark.parametrize("novel", [False, True])
def test_logging_other_forms_changes_no_gradient(novel):
    plain, logging = trainer(log_forms=False, novel=novel), trainer(log_forms=True, novel=novel)
    before, after = plain.run_step(make_batch()), logging.run_step(make_batch())
    assert {name: float(value) for name, value in before.items()} == {name: float(after[name]) for name in before}
    assert all(torch.equal(*pair) for pair in zip(gradients(plain).values(), gradients(logging).values(), strict=True))
    terms = ["novel_embedding(small)"] if novel else ["rgb", "depth", "embedding(small)"]
    assert set(after) - set(before) == {f"{term}_as_{form}" for term in terms for form in FORMS}
    own = {"rgb": "l1", "depth": "l1", "embedding(small)": "l1", "novel_embedding(small)": "l1"}
    for term in terms:
        assert float(after[f"{term}_as_{own[term]}"]) == float(after[term])
        assert not after[f"{term}_as_cosine"].requires_grad


def test_what_is_logged_is_no_part_of_a_run():
    data = DataSelection("v", "train")
    plain = RunSpec(MODEL, WITH_NETWORKS, make_settings(), data)
    assert plain.id == replace(plain, training=make_settings(log_forms=True)).id
    assert RunSpec.from_json(replace(plain, training=make_settings(log_forms=True)).to_json()).training.log_forms


def frames(seed, count):
    chance = torch.Generator().manual_seed(seed)
    rgb, depth = torch.rand(count, 3, 16, 16, generator=chance) * 2 - 1, torch.rand(count, 1, 16, 16, generator=chance) + 4
    return Frames(rgb, depth, torch.ones(count, 1, 16, 16))


def test_held_out_values_are_those_of_the_losses():
    network, batch, canonical, novel = Network(), make_batch(count=1), frames(1, 1), frames(2, 3)
    found = objective_values(canonical, novel, batch, Backbones(network, network))
    images = batch.images.expand(3, -1, -1, -1)
    for form in FORMS:
        wanted = {
            "rgb": compare(form, canonical.rgb, batch.images),
            "depth": compare(form, canonical.depth, batch.depths),
            "embedding": embedding_distance(network, form, novel.rgb, images),
            "perceptual": deep_feature_distance(network, form, canonical.rgb, batch.images),
        }
        for term, value in wanted.items():
            assert found[f"loss_{term}_{form}"] == pytest.approx(float(value), rel=1e-5), (term, form)
    assert found["loss_tv_l2"] == pytest.approx(float(total_variation(novel.depth)))
    assert len(found) == 4 * 4 + 2


def test_terms_without_a_network_are_left_out_and_the_real_ones_keep_their_names():
    batch, network = make_batch(count=1), Network()
    alone = objective_values(frames(1, 1), frames(2, 2), batch, Backbones())
    assert {name.split("_")[1] for name in alone} == {"rgb", "depth", "tv"}
    real, stages = Network(), Network()
    real.name, stages.name = "clip-vit-b16", "lpips-vgg16"
    named = objective_values(frames(1, 1), frames(2, 2), batch, Backbones(real, stages))
    assert {name.split("_")[1] for name in named} == {"rgb", "depth", "tv", "clip", "lpips"}
    assert network.seen == 0
