"""The choice of the device, and what must be true of a step for each: no float64 in it, norms and losses in float32."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from training_fixture import Network, make_batch, make_settings, make_trainer, train

from g3dr.errors import ConfigError
from g3dr.render import compiled
from g3dr.training.devices import choose_device
from g3dr.unet.blocks import ChannelNorm, GroupNorm
from orchestrator.computing.worker import Placement

pytestmark = pytest.mark.unit


@pytest.fixture
def machine(monkeypatch):
    """Pretends what the machine has."""

    def pretend(*, cuda: bool = False, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "choice", "gpus", "expected"),
    [
        (True, False, "auto", 1.0, "cuda"),
        (True, False, "auto", None, "cuda"),
        (True, False, "auto", 0.0, "cpu"),
        (True, False, "cpu", 1.0, "cpu"),
        (True, False, "cuda", 0.5, "cuda"),
        (False, False, "auto", None, "cpu"),
        (False, True, "auto", None, "cpu"),
        (False, True, "mps", 0.0, "mps"),
    ],
)
def test_the_device_is_what_is_there_and_asked_for(machine, *, cuda, mps, choice, gpus, expected):
    machine(cuda=cuda, mps=mps)
    assert choose_device(choice, gpus).type == expected


@pytest.mark.parametrize(
    ("cuda", "choice", "gpus", "message"),
    [
        (False, "cuda", 1.0, "resources.device: got 'cuda'.*no CUDA GPU"),
        (True, "cuda", 0.0, "resources.device: got 'cuda'.*resources.gpus_per_worker"),
        (False, "auto", 1.0, "resources.gpus_per_worker: got 1.0, allowed: 0"),
        (True, "mps", None, "resources.device: got 'mps'.*no Apple GPU"),
    ],
)
def test_a_device_that_is_not_there_is_refused(machine, cuda, choice, gpus, message):
    machine(cuda=cuda)
    with pytest.raises(ConfigError, match=message):
        choose_device(choice, gpus)


def test_workers_that_share_a_run_compute_where_they_were_put():
    assert Placement(device="cpu", world_size=2).torch_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match=r"resources.device: got 'mps', allowed: auto or cpu"):
        Placement(device="cpu", world_size=2).torch_device("mps")


class Recorder(TorchDispatchMode):
    """Records the kinds of numbers and the operators of everything that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.wide: set[str] = set()
        self.operators: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.operators.add(function._schema.name.removeprefix("aten::"))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.dtype in (torch.float64, torch.complex128):
                self.wide.add(str(function))
        return result


@pytest.mark.parametrize("novel", [0.0, 1.0])
def test_a_step_computes_nothing_in_float64_which_apple_gpus_do_not_have(novel, monkeypatch):
    monkeypatch.setattr(compiled, "usable", lambda rows: False)  # as on a GPU
    trainer = make_trainer(make_settings(novel_probability=novel, depth_importance=0.5), Network())
    trainer.step = 11
    with Recorder() as recorder:
        trainer.run_step(make_batch())
    assert not recorder.wide
    assert "embedding_bag" in " ".join(recorder.operators)


def test_norms_planes_renderings_and_losses_are_float32_in_mixed_precision():
    kinds: dict[str, set[torch.dtype]] = {}
    trainer = make_trainer(make_settings(precision="bfloat16", novel_probability=0.0))

    def record(name):
        return lambda _, __, output: kinds.setdefault(name, set()).add(output.dtype)

    for module in trainer.model.modules():
        if isinstance(module, GroupNorm | ChannelNorm):
            module.register_forward_hook(record("norm"))
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(record("convolution"))
    trainer.model.renderer.builder.register_forward_hook(lambda _, __, table: record("table")(_, __, table.rows))
    trainer.model.renderer.register_forward_hook(lambda _, __, rendering: record("rendering")(_, __, rendering.rgb))
    terms = trainer.run_step(make_batch())
    assert kinds["norm"] == kinds["table"] == kinds["rendering"] == {torch.float32}
    assert kinds["convolution"] == {torch.bfloat16}
    assert {value.dtype for value in terms.values()} == {torch.float32}
    assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
    assert {gradient.dtype for gradient in (parameter.grad for parameter in trainer.model.parameters()) if gradient is not None} == {
        torch.float32
    }


def test_mixed_precision_follows_the_curve_of_full_precision():
    def curve(precision: str) -> list[float]:
        changes = {"rays_per_image": None, "learning_rate": 2e-3, "novel_probability": 0.0, "depth_importance": 0.0}
        return train(make_trainer(make_settings(steps=25, precision=precision, **changes)), 25)

    full, mixed = curve("float32"), curve("bfloat16")
    assert mixed != full
    assert mixed == pytest.approx(full, rel=0.02)
