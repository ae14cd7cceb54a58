"""The autoencoder and the denoiser of latent diffusion, and how they learn."""

from dataclasses import replace

import pytest
import torch
from diffusion_fixture import CLASSES, CODES, DENOISER, TRANSFORMER, batch_of, codes

from g3dr.diffusion.autoencoder import Autoencoder, Posterior
from g3dr.diffusion.autoencoder_learning import AutoencoderLearner
from g3dr.diffusion.chance import normal
from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig, SamplingSettings
from g3dr.diffusion.denoiser import Denoiser
from g3dr.diffusion.denoiser_learning import DenoiserLearner, LatentMemory
from g3dr.diffusion.latent_diffusion import LatentDiffusion
from g3dr.diffusion.loading import finished_autoencoder, finished_denoiser
from g3dr.diffusion.principal import PrincipalSquares
from g3dr.errors import CheckpointError, ConfigError, DataError
from g3dr.training.chance import StepChance


def learner_of(config=DENOISER, **changes):
    learner = DenoiserLearner(replace(config, **changes), autoencoder=codes())
    learner.initialize(3)
    learner.prepare([batch_of(12)])
    return learner


def test_the_latent_is_smaller_by_the_factor_and_decodes_to_the_pictures_size():
    network, images = codes(), batch_of(2).images
    latents = network.encode(images)
    assert latents.shape == (2, CODES.latent_channels, CODES.latent_side, CODES.latent_side) == (2, 2, 8, 8)
    assert network.decode(latents).shape == images.shape


@pytest.mark.parametrize(
    "build",
    [lambda seed: Autoencoder(CODES, seed), lambda seed: Denoiser(DENOISER, 2, 8, seed), lambda seed: Denoiser(TRANSFORMER, 2, 8, seed)],
    ids=["autoencoder", "unet", "transformer"],
)
def test_first_weights_come_from_the_seed_and_leave_torchs_own_chance_alone_where_it_matters(build):
    torch.manual_seed(1)
    one = build(5).state_dict()
    torch.manual_seed(2)
    other, third = build(5).state_dict(), build(6).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


def test_a_posterior_at_its_prior_has_no_divergence_and_one_elsewhere_the_known_one():
    zero = torch.zeros(1, 2, 3, 3)
    assert Posterior(zero, zero).divergence().item() == 0
    # Of N(1, 4) from N(0, 1): (1 + 4 - 1 - ln 4) / 2.
    shifted = Posterior(zero + 1, zero + torch.tensor(4.0).log())
    torch.testing.assert_close(shifted.divergence(), torch.tensor([(4 - torch.tensor(4.0).log()) / 2]))


def test_noise_of_a_training_step_is_normal_and_belongs_to_the_position():
    whole, part = normal(StepChance(0, 7, range(4)), 4096), normal(StepChance(0, 7, [2]), 4096)
    assert torch.equal(whole[2:3], part)
    assert abs(float(whole.mean())) < 0.03
    assert abs(float(whole.std()) - 1) < 0.03
    assert whole.isfinite().all()


@pytest.mark.parametrize(
    "make", [lambda: AutoencoderLearner(CODES), learner_of, lambda: learner_of(TRANSFORMER)], ids=["autoencoder", "unet", "transformer"]
)
def test_a_step_does_not_depend_on_how_the_batch_is_divided(make):
    learner, batch = make(), batch_of(6)
    if isinstance(learner, AutoencoderLearner):
        learner.initialize(0)
    whole = learner(batch, StepChance(4, 9, range(6)), 9)["loss"]
    parts = [learner(batch.part(rows), StepChance(4, 9, range(6)[rows]), 9)["loss"] for rows in (slice(0, 2), slice(2, 6))]
    torch.testing.assert_close(whole, (parts[0] * 2 + parts[1] * 4) / 6, rtol=1e-5, atol=1e-6)


def stir(network):
    """Lets every weight say something; untrained networks predict 0 whatever they are told."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("config", [DENOISER, TRANSFORMER], ids=["unet", "transformer"])
def test_a_denoiser_begins_with_nothing_to_say_and_then_hears_level_class_and_place(config):
    network = Denoiser(config, 2, 8).eval()
    noisy, levels, labels = torch.zeros(1, 2, 8, 8), torch.tensor([10]), torch.tensor([0])
    assert not network(noisy, levels, labels).any()
    stir(network)
    said = network(noisy, levels, labels)
    assert not torch.allclose(said, network(noisy, levels + 500, labels))
    assert not torch.allclose(said, network(noisy, levels, labels + 1))
    assert not torch.allclose(network(noisy, levels, labels + 2), network(noisy, levels, labels + network.no_class))
    assert not torch.allclose(said[..., 0, 0], said[..., 4, 4])


@pytest.mark.parametrize("config", [DENOISER, TRANSFORMER], ids=["unet", "transformer"])
def test_a_step_is_a_function_of_seed_and_step(config):
    learner, batch = learner_of(config, class_dropout=0.5).train(), batch_of(4)
    stir(learner.network)
    torch.manual_seed(0)
    first = learner(batch, StepChance(1, 2, range(4)), 2)["loss"]
    torch.manual_seed(99)
    assert torch.equal(first, learner(batch, StepChance(1, 2, range(4)), 2)["loss"])
    assert not torch.equal(first, learner(batch, StepChance(1, 3, range(4)), 3)["loss"])


def test_the_autoencoder_learns_a_batch_by_heart():
    learner, batch = AutoencoderLearner(CODES), batch_of(4)
    learner.initialize(0)
    optimizer = torch.optim.Adam(learner.network.parameters(), lr=5e-3)
    before = learner.assess([batch], 0, lambda done: None)
    for step in range(60):
        optimizer.zero_grad()
        learner(batch, StepChance(0, step, range(4)), step)["loss"].backward()
        optimizer.step()
    told = []
    after = learner.assess([batch], 0, told.append)
    assert after.metrics["psnr"] > before.metrics["psnr"] + 3
    assert told == [4]
    assert len(after.per_image["ssim"]) == len(after.keys) == 4
    assert all(sheet.ndim == 3 for sheet in after.pictures.values())


def test_all_principal_components_lose_nothing_and_fewer_lose_the_least():
    images = batch_of(24).images + 0.05 * torch.randn(24, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    errors = []
    for components in (12, 6, 3):
        principal = PrincipalSquares(2, components)
        assert not principal.is_fitted
        principal.fit(images.split(5))
        errors.append(float((principal.decode(principal.encode(images)) - images).square().mean()))
    squares = torch.nn.functional.pixel_unshuffle(images, 2).transpose(0, 1).flatten(1)
    variances = torch.linalg.eigvalsh(squares.cov(correction=0)).flip(0)
    assert errors[0] < 1e-10
    assert errors[1] == pytest.approx(float(variances[6:].sum() / 12), rel=1e-3)
    assert errors[2] == pytest.approx(float(variances[3:].sum() / 12), rel=1e-3)


def test_a_network_that_begins_with_principal_components_begins_as_they_are_and_learns_on():
    learner, batch = AutoencoderLearner(replace(CODES, principal=True, patch=2)), batch_of(8)
    learner.initialize(0)
    learner.prepare([batch])
    network = learner.network
    before = network.principal.decode(network.principal.encode(batch.images))
    torch.testing.assert_close(network.decode(network.encode(batch.images)), before)
    learner.prepare([batch_of(8, seed=9)])
    torch.testing.assert_close(network.principal.decode(network.principal.encode(batch.images)), before)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    first = learner.assess([batch], 0, lambda done: None).metrics["pixels"]
    for step in range(30):
        optimizer.zero_grad()
        learner(batch, StepChance(0, step, range(8)), step)["loss"].backward()
        optimizer.step()
    assert learner.assess([batch], 0, lambda done: None).metrics["pixels"] < 0.97 * first


def test_a_network_that_was_trained_before_keeps_the_figures_of_its_latents():
    learner = learner_of()
    before = learner.network.latent_mean.clone()
    learner.prepare([batch_of(12, seed=8)])
    assert torch.equal(learner.network.latent_mean, before)


def test_latents_are_brought_to_mean_zero_and_deviation_one():
    learner = learner_of()
    latents = finished_autoencoder(CODES, codes().state_dict(), "here").encode(batch_of(12).images)
    scaled = learner.network.scaled(latents)
    assert scaled.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert abs(float(scaled.square().mean().sqrt()) - 1) < 1e-4
    torch.testing.assert_close(learner.network.unscaled(scaled), latents)


def test_latents_without_any_spread_are_refused():
    learner = DenoiserLearner(DENOISER, autoencoder=codes())
    for parameter in learner.autoencoder.parameters():
        parameter.zero_()
    with pytest.raises(DataError, match="latents of all pictures are the same"):
        learner.prepare([batch_of(2)])
    with pytest.raises(DataError, match="no pictures"):
        learner.prepare([])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_new_denoiser_says_nothing_so_its_error_is_that_of_zero(prediction):
    learner = learner_of(prediction=prediction)
    losses = [learner(batch_of(6), StepChance(0, step, range(6)), step)["loss"].item() for step in range(4)]
    assert 0.7 < sum(losses) / 4 < 1.3


def test_the_class_is_withheld_as_often_as_configured():
    learner, seen = learner_of(class_dropout=0.25), []
    learner.network.forward = lambda noisy, levels, labels: (seen.append(labels), noisy)[1]
    for step in range(40):
        learner(batch_of(12), StepChance(0, step, range(12)), step)
    share = float((torch.cat(seen) == len(CLASSES)).double().mean())
    assert abs(share - 0.25) < 0.08
    assert learner.network.labels(["frog", "unicorn"]).tolist() == [2, 3]


def test_kept_latents_are_those_of_each_picture_alone_and_no_more_than_allowed():
    autoencoder, images = codes(), batch_of(5).images
    alone = torch.cat([autoencoder.encode(images[row : row + 1]) for row in range(5)])
    memory = LatentMemory(autoencoder, limit=3 * alone[0].numel() * 4)
    assert torch.equal(memory.latents(images), alone)
    assert len(memory._known) == 3
    assert torch.equal(memory.latents(images.flip(0)), alone.flip(0))
    torch.testing.assert_close(LatentMemory(autoencoder, 0).latents(images), alone, rtol=1e-4, atol=1e-5)


def test_only_the_denoiser_is_trained():
    learner = learner_of()
    learner(batch_of(3), StepChance(0, 0, range(3)), 0)["loss"].backward()
    assert all(parameter.grad is None for parameter in learner.autoencoder.parameters())
    assert any(parameter.grad is not None for parameter in learner.network.parameters())
    assert not any(name.startswith("autoencoder") for name in learner.network.state_dict())


def test_an_assessment_names_its_figures_and_repeats_itself():
    learner, told = learner_of(), []
    found = learner.assess([batch_of(6, seed=5)], 11, told.append)
    again = learner.assess([batch_of(6, seed=5)], 11, lambda done: None)
    assert found.metrics == again.metrics
    assert {"denoising_loss", "denoising_loss_at_900", "fd", "kid", "species_accuracy", "real_species_accuracy"} <= set(found.metrics)
    assert abs(sum(found.per_image["denoising_loss"]) / 6 - found.metrics["denoising_loss"]) < 1e-5
    assert told == [6, 8, 10, 12]
    assert found.species == batch_of(6).species


def test_networks_come_back_from_what_a_checkpoint_records():
    denoiser = learner_of().network
    again = finished_denoiser(DENOISER, denoiser.state_dict(), "here")
    assert torch.equal(again.latent_mean, denoiser.latent_mean)
    autoencoder = finished_autoencoder(CODES, codes(4).state_dict(), "here")
    torch.testing.assert_close(autoencoder.encode(batch_of(1).images), codes(4).encode(batch_of(1).images))
    assert not any(parameter.requires_grad for network in (again, autoencoder) for parameter in network.parameters())
    with pytest.raises(CheckpointError, match="not the weights of a denoiser"):
        finished_denoiser(DENOISER, codes().state_dict(), "here")
    with pytest.raises(CheckpointError, match="does not fit"):
        finished_autoencoder(replace(CODES, latent_channels=3), codes().state_dict(), "here")


def test_networks_that_do_not_belong_together_are_refused():
    with pytest.raises(CheckpointError, match="latents of 2 channels and 8 x 8 positions of pictures of 32"):
        LatentDiffusion(Denoiser(replace(DENOISER, resolution=32), 2, 8), codes())
    with pytest.raises(CheckpointError, match="4 x 4 positions of pictures of 16 pixels, the autoencoder gives 2 of 8 x 8"):
        LatentDiffusion(Denoiser(TRANSFORMER, 2, 4), codes())


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: AutoencoderConfig(widths=(30,)), "network.autoencoder.widths"),
        (lambda: AutoencoderConfig(resolution=100), "network.autoencoder.resolution"),
        (lambda: AutoencoderConfig(widths=(32,), latent_channels=4, principal=True), "network.autoencoder.latent_channels"),
        (lambda: DenoiserConfig(classes=("a", "a")), "network.denoiser.classes"),
        (lambda: DenoiserConfig(attention_levels=(9,)), "network.denoiser.attention_levels"),
        (lambda: DenoiserConfig(head_width=7), "network.denoiser.head_width"),
        (lambda: DenoiserConfig(architecture="transformer"), "network.denoiser.widths"),
        (lambda: DenoiserConfig(architecture="transformer", widths=(6,), head_width=3), "network.denoiser.widths"),
        (lambda: SamplingSettings(guidance=0.5), "--guidance"),
    ],
)
def test_values_that_cannot_be_used_are_named(make, path):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.path == path
