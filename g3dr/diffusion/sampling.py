"""From classes and seeds to latents: the solvers of the diffusers library, without chance of their own."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from jaxtyping import Float, Int
from torch import Tensor

from g3dr.diffusion.chance import noise_of_seeds
from g3dr.diffusion.config import DenoiserConfig, Sampler, SamplingSettings
from g3dr.diffusion.denoiser import Denoiser, noise_scheduler

# With the cosine schedule almost nothing of the picture is left at the last level: log-SNRs below are cut off [Lu et al., 2022].
_LEAST_LOG_SNR = -5.1


@contextmanager
def quiet_solvers() -> Iterator[None]:
    """Keeps to itself what diffusers' solvers do that NumPy will one day no longer allow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="__array__ implementation doesn't accept a copy keyword", category=DeprecationWarning)
        yield


def solver(sampler: Sampler, scheduler: Any, **changes: Any) -> Any:
    """Returns the solver with the noise, the prediction and the levels of another scheduler of diffusers, but for `changes`."""
    if sampler == "ddim":
        return DDIMScheduler.from_config(scheduler.config, clip_sample=False, **changes)
    return DPMSolverMultistepScheduler.from_config(scheduler.config, algorithm_type="dpmsolver++", **changes)


def own_solver(sampler: Sampler, config: DenoiserConfig) -> Any:
    """Returns the solver for a denoiser of ours; it begins at the highest level [Lin et al., 2024]."""
    cut = {"lambda_min_clipped": _LEAST_LOG_SNR} if sampler == "dpm" else {}
    return solver(sampler, noise_scheduler(config), timestep_spacing="trailing", **cut)


@torch.inference_mode()
def sample_latents(
    denoiser: Denoiser,
    labels: Int[Tensor, "batch"],
    seeds: Sequence[int],
    side: int,
    settings: SamplingSettings,
    *,
    tick: Callable[[], None] = lambda: None,
) -> Float[Tensor, "batch latent side side"]:
    """Draws latents in the autoencoder's units, one for each seed.

    Args:
        denoiser: In evaluation mode.
        labels: Class of each, see `Denoiser.labels`.
        seeds: Of each one's noise.
        side: Side of a latent.
        settings: How; what they leave open is the denoiser's.
        tick: Called after each step.
    """
    steps = own_solver(settings.sampler or "dpm", denoiser.config)
    with quiet_solvers():
        steps.set_timesteps(settings.steps or denoiser.config.sampling_steps)
    scale = settings.guidance or denoiser.config.guidance
    latents = noise_of_seeds(seeds, denoiser.latent_channels, side, side).to(denoiser.latent_mean.device)
    for level in steps.timesteps.tolist():
        predicted = denoiser.guided(latents, int(level), labels, scale)
        latents = steps.step(predicted, level, latents).prev_sample
        tick()
    return denoiser.unscaled(latents)
