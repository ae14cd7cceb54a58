"""What inference keeps from one image to the next, and everything that must make it forget."""

import copy
import functools
import pickle

import pytest
import torch
from torch import nn

from g3dr.config import GeneratorConfig, ModelConfig
from g3dr.model import G3DR
from g3dr.types import Guidance
from g3dr.unet import convolutions
from g3dr.unet.constants import Constants

pytestmark = pytest.mark.unit
CONFIG = ModelConfig(GeneratorConfig(resolution=16, width=16, multipliers=(1, 2), position_channels=4, features=4))
GENERATOR = torch.Generator().manual_seed(5)
IMAGES = torch.rand(1, 3, 16, 16, generator=GENERATOR) * 2 - 1
DEPTHS = torch.rand(1, 1, 16, 16, generator=GENERATOR) + 4.5


@pytest.fixture(autouse=True)
def _all_forms(monkeypatch):
    """Lets narrow networks take the form that wide ones take."""
    monkeypatch.setattr(convolutions, "WIDE_CHANNELS", 16)


def kept(model):
    return sum(len(module.constants) for module in model.modules() if isinstance(getattr(module, "constants", None), Constants))


def inferred(model, **options):
    with torch.inference_mode():
        return model.planes(IMAGES, DEPTHS, **options)


def computed(model):
    """The planes without anything kept."""
    with torch.no_grad():
        return model.planes(IMAGES, DEPTHS)


def assert_near(actual, expected):
    assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


def assert_fresh(model, before):
    """Inference sees the change: its planes are those of the changed weights, and they differ from the ones before."""
    now = inferred(model)
    assert_near(now, computed(model))
    assert (now - before).abs().max() > 1e-3


OPTIMIZERS = {
    "adam": functools.partial(torch.optim.Adam, lr=0.05),
    "fused": functools.partial(torch.optim.Adam, lr=0.05, fused=True),
    "foreach": functools.partial(torch.optim.SGD, lr=0.05, foreach=True),
}


def make_model():
    torch.manual_seed(0)
    return G3DR(CONFIG)


def test_a_second_image_makes_nothing_new_and_gives_the_same():
    model = make_model()
    first = inferred(model)
    held = {id(value) for module in model.modules() for _, _, value in getattr(getattr(module, "constants", None), "_kept", {}).values()}
    assert len(held) == kept(model) > 20
    assert torch.equal(inferred(model), first)
    again = {id(value) for module in model.modules() for _, _, value in getattr(getattr(module, "constants", None), "_kept", {}).values()}
    assert again == held


NAMES = ["pos_embed", "init_conv.weight", "time_mlp.1.weight", "time_mlp.3.bias", "downs.0.0.mlp.1.weight", "downs.0.0.block1.proj.weight"]
NAMES += ["downs.0.0.block1.norm.weight", "downs.0.0.block1.norm.bias", "mid_block1.block2.proj.weight", "ups.0.3.1.weight"]
NAMES += ["downs.1.3.weight", "ups.1.3.weight", "downs.0.3.1.weight", "final_conv.weight", "downs.0.2.fn.fn.to_qkv.weight"]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_every_weight_changed_in_place_is_seen(mode):
    model, generator = make_model(), torch.Generator().manual_seed(1)
    for name in NAMES:
        before = inferred(model)
        with mode():
            parameter = model.get_parameter(name)
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=float(parameter.std()) + 0.1)
        assert_fresh(model, before)


def test_a_loaded_checkpoint_is_seen_copied_or_assigned():
    other = make_model()
    other.initialize(9)
    for assign in (False, True):
        model = make_model()
        before = inferred(model)
        model.load_state_dict(other.state_dict(), assign=assign)
        assert_fresh(model, before)


def test_other_parameters_of_the_same_name_are_seen():
    model = make_model()
    before = inferred(model)
    model.mid_block1.block1.proj.weight = nn.Parameter(torch.randn_like(model.mid_block1.block1.proj.weight))
    assert_fresh(model, before)
    before = inferred(model)
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(model.parameters()).detach() * 1.5, model.parameters())
    assert_fresh(model, before)


@pytest.mark.parametrize("kind", ["adam", "fused", "foreach"])
def test_a_training_step_between_two_inferences_is_seen(kind):
    model = make_model()
    before = inferred(model)
    optimizer = OPTIMIZERS[kind](model.parameters())
    model.planes(IMAGES, DEPTHS).square().mean().backward()
    assert kept(model) == 0
    optimizer.step()
    assert_fresh(model, before)


@pytest.mark.parametrize("kind", ["adam", "fused", "foreach"])
def test_an_optimizer_step_alone_is_seen(kind):
    model = make_model()
    model.planes(IMAGES, DEPTHS).square().mean().backward()
    before, optimizer = inferred(model), OPTIMIZERS[kind](model.parameters())
    optimizer.step()
    assert_fresh(model, before)


def test_a_forward_pass_with_gradients_forgets_what_cannot_be_seen():
    model = make_model()
    before = inferred(model)
    model.mid_block1.block1.proj.weight.data.normal_(generator=torch.Generator().manual_seed(1))
    model.planes(IMAGES, DEPTHS)
    assert_fresh(model, before)
    before = inferred(model)
    model.mid_block1.block1.proj.weight.data.normal_(generator=torch.Generator().manual_seed(2))
    model.forget_constants()
    assert_fresh(model, before)


def test_rounding_through_another_type_is_seen():
    model = make_model()
    before = inferred(model)
    model.to(torch.float8_e4m3fn).to(torch.float32)
    assert kept(model) == 0
    assert_fresh(model, before)
    before = inferred(model)
    for part in model.children():  # not through the network, which forgets by itself
        part.to(torch.float8_e5m2).to(torch.float32)
    now = inferred(model)
    assert_near(now, computed(model))


def test_a_move_to_another_device_frees_what_is_kept():
    model = make_model()
    inferred(model)
    model.to("meta")
    assert kept(model) == 0


def test_precisions_do_not_mix():
    model = make_model()
    exact = inferred(model)
    with torch.autocast("cpu", torch.bfloat16):
        rough = inferred(model)
    assert torch.equal(inferred(model), exact)
    model.forget_constants()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(inferred(model), rough)
    assert torch.equal(inferred(model), exact)


def test_every_image_keeps_its_own_embedding():
    model = make_model()
    plain = inferred(model)
    embedding = torch.randn(1, 64, generator=torch.Generator().manual_seed(3))
    guided = inferred(model, guidance=Guidance(embedding=embedding))
    assert (guided - plain).abs().max() > 1e-3
    assert torch.equal(inferred(model), plain)
    with torch.no_grad():
        assert_near(guided, model.planes(IMAGES, DEPTHS, Guidance(embedding=embedding)))


def test_several_embeddings_give_what_each_gives_alone():
    model = make_model()
    embeddings = torch.randn(2, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        both = model.planes(IMAGES.repeat(2, 1, 1, 1), DEPTHS.repeat(2, 1, 1, 1), Guidance(embedding=embeddings))
        alone = torch.cat([model.planes(IMAGES, DEPTHS, Guidance(embedding=row[None])) for row in embeddings])
    assert_near(both, alone)


def test_a_model_made_in_inference_mode_keeps_nothing_that_it_cannot_follow():
    with torch.inference_mode():
        model = G3DR(CONFIG)
        before = model.planes(IMAGES, DEPTHS)
        model.mid_block1.block1.proj.weight.normal_(generator=torch.Generator().manual_seed(1))
        after = model.planes(IMAGES, DEPTHS)
    assert (after - before).abs().max() > 1e-3


def test_copies_and_pickles_start_empty_and_compute_the_same():
    model = make_model()
    before = inferred(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert kept(twin) == 0
        assert torch.equal(inferred(twin), before)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_gradients_after_an_inference_are_those_of_a_fresh_model():
    used, fresh = make_model(), make_model()
    inferred(used)
    for model in (used, fresh):
        model.planes(IMAGES, DEPTHS).square().mean().backward()
    for (name, one), (_, other) in zip(used.named_parameters(), fresh.named_parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        assert one.grad is None or torch.equal(one.grad, other.grad), name
