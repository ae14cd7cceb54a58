"""Our Adam is torch's, without the compiler that its class brings along."""

import subprocess
import sys

import pytest
import torch

from g3dr.training.adam import Adam


def trained(make, steps: int) -> list[torch.Tensor]:
    """Parameters after some steps with changing rates; the last one never has a gradient."""
    chance = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=chance)) for shape in ((5, 3), (7,), (2, 2))]
    optimizer = make([{"params": parameters[:1]}, {"params": parameters[1:]}])
    for step in range(steps):
        for number, group in enumerate(optimizer.param_groups):
            group["lr"], group["betas"] = 1e-2 / (1 + step + number), (0.9 - 0.01 * step, 0.99)
        optimizer.zero_grad()
        sum((parameter * torch.randn(parameter.shape, generator=chance)).sum() for parameter in parameters[:2]).backward()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize("steps", [1, 7])
def test_the_numbers_are_those_of_torchs_class_to_the_bit(steps: int) -> None:
    ours = trained(lambda groups: Adam(groups, 1e-3, (0.9, 0.999)), steps)
    torchs = trained(lambda groups: torch.optim.Adam(groups, lr=1e-3, fused=True), steps)
    assert all(torch.equal(mine, other) for mine, other in zip(ours, torchs, strict=True))


def test_a_training_starts_without_torchs_compiler() -> None:
    script = (
        "import sys; from training_fixture import make_batch, make_trainer; import orchestrator.computing.worker; "
        "make_trainer().run_step(make_batch()); print([name for name in ('torch._dynamo', 'sympy', 'torchvision') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tests'); {script}"], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
