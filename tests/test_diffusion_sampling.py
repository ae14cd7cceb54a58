"""From seeds to latents: the solvers reach what the denoiser knows, and a picture does not depend on its neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusion_fixture import CLASSES, DENOISER, codes

from g3dr.diffusion.config import SamplingSettings
from g3dr.diffusion.denoiser import Denoiser, noise_scheduler
from g3dr.diffusion.generator import Wish
from g3dr.diffusion.latent_diffusion import LatentDiffusion
from g3dr.diffusion.sampling import sample_latents
from g3dr.errors import ConfigError


def awake(seed=1):
    """A denoiser whose weights are all random, so that everything it is told changes what it says."""
    denoiser = Denoiser(DENOISER, 2, 8, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in denoiser.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    return denoiser.requires_grad_(requires_grad=False)


class Knowing(Denoiser):
    """Believes in one latent per class, and so knows exactly what noise is in anything."""

    truths: torch.Tensor

    def forward(self, noisy, levels, labels):
        kept = noise_scheduler(self.config).alphas_cumprod[levels][:, None, None, None]
        truth = self.truths[labels]
        noise = (noisy - kept.sqrt() * truth) / (1 - kept).sqrt()
        return noise if self.config.prediction == "epsilon" else kept.sqrt() * noise - (1 - kept).sqrt() * truth


@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
@pytest.mark.parametrize(("prediction", "schedule"), [("epsilon", "scaled_linear"), ("v_prediction", "cosine"), ("v_prediction", "linear")])
def test_a_denoiser_that_knows_the_truth_is_led_to_it(sampler, prediction, schedule):
    denoiser = Knowing(replace(DENOISER, prediction=prediction, schedule=schedule), 2, 8)
    denoiser.truths = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    denoiser.latent_mean.copy_(torch.tensor([0.5, -1.0]))
    denoiser.latent_deviation.fill_(3.0)
    settings = SamplingSettings(steps=12, guidance=1.0, sampler=sampler)
    found = sample_latents(denoiser, torch.tensor([2, 0]), [5, 6], 8, settings)
    torch.testing.assert_close(found, denoiser.unscaled(denoiser.truths[[2, 0]]), rtol=0.02, atol=0.05)


def test_guidance_leads_away_from_what_is_said_without_a_class():
    denoiser = awake()
    noisy, labels = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1])
    levels = torch.tensor([400, 400])
    told, untold = denoiser(noisy, levels, labels), denoiser(noisy, levels, torch.tensor([3, 3]))
    assert not torch.allclose(told, untold)
    torch.testing.assert_close(denoiser.guided(noisy, 400, labels, 2.5), untold + 2.5 * (told - untold), rtol=1e-4, atol=1e-5)
    assert torch.equal(denoiser.guided(noisy, 400, labels, 1.0), told)


@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
def test_a_picture_does_not_depend_on_those_drawn_beside_it(sampler):
    model, ticks = LatentDiffusion(awake(), codes()), []
    together = model.generate(Wish("fish"), [7, 3, 9, 4, 5], SamplingSettings(sampler=sampler, at_once=5), lambda *told: None)
    apart = model.generate(Wish("fish"), [4, 7], SamplingSettings(sampler=sampler, at_once=1), lambda *told: ticks.append(told))
    assert np.abs(together[[3, 0]].astype(int) - apart.astype(int)).max() <= 1
    assert np.abs(together[0].astype(int) - together[1].astype(int)).max() > 1
    assert ticks == [(step, 8) for step in range(1, 9)]


def test_classes_give_different_pictures_and_an_unknown_one_a_sentence():
    model = LatentDiffusion(awake(), codes())
    drawn = [model.generate(Wish(name), [0], SamplingSettings(), lambda *told: None) for name in CLASSES]
    assert not np.array_equal(drawn[0], drawn[1])
    with pytest.raises(ConfigError, match=r'fsh.*bird, fish, frog.*did you mean "fish"'):
        model.generate(Wish("fsh"), [0], SamplingSettings(), lambda *told: None)
    with pytest.raises(ConfigError, match="negative"):
        model.generate(Wish("fish", "ugly"), [0], SamplingSettings(), lambda *told: None)
