"""What frozen networks see in the training images is kept where it fits, and nobody can tell from the results."""

import pytest
import torch
from training_fixture import Network, assert_equal_gradients, gradients, make_batch, make_settings, make_trainer, train

from g3dr.backbones import load_perceptual
from g3dr.losses import FeatureStore
from g3dr.losses.targets import image_digests, look_again

pytestmark = pytest.mark.unit

PLENTY = 2**24


def trained(store: FeatureStore | None, **changes):
    """Returns the losses of six steps, the gradient of the first, and how many images the network saw."""
    network = Network()
    trainer = make_trainer(make_settings(**changes), network, store)
    trainer.step = 6
    losses = train(trainer, 1)
    first = gradients(trainer)
    return losses + train(trainer, 5), first, network.seen


@pytest.mark.parametrize("changes", [{}, {"accumulation": 2}, {"novel_probability": 1.0, "novel_resolution": 8}])
def test_training_with_kept_features_equals_training_without(changes):
    looking, looking_gradient, seen = trained(None, **changes)
    keeping, keeping_gradient, seen_again = trained(FeatureStore(12, PLENTY), **changes)
    assert keeping[0] == pytest.approx(looking[0], rel=1e-6)
    assert keeping == pytest.approx(looking, rel=1e-3)
    assert_equal_gradients(looking_gradient, keeping_gradient, 1e-4)
    assert seen_again < seen


def test_resuming_with_an_empty_memory_is_bit_equal():
    undisturbed = make_trainer(network=Network(), store=FeatureStore(12, PLENTY))
    expected = train(undisturbed, 6)
    first = make_trainer(network=Network(), store=FeatureStore(12, PLENTY))
    begun = train(first, 4)
    second = make_trainer(network=Network(), store=FeatureStore(12, PLENTY))
    second.restore(first.checkpoint(), "here")
    assert begun + train(second, 2) == expected


def test_every_image_is_looked_at_once_and_found_by_its_pixels():
    network, store, images = Network(), FeatureStore(8, PLENTY), make_batch().images
    digests = image_digests(images)

    def look(pictures):
        return [network.embed(pictures)]

    [first] = store.recall(digests)("embedding", images, look)
    seen = network.seen
    [again] = store.recall(digests[::-1])("embedding", images.flip(0), look)
    assert network.seen == seen
    assert torch.equal(again, first.flip(0))
    assert not again.requires_grad
    mirrored = images.flip(-1)
    [other] = store.recall(image_digests(mirrored))("embedding", mirrored, look)
    assert not torch.allclose(other, first)
    torch.testing.assert_close(other, look_again("embedding", mirrored, look)[0])


def test_what_does_not_fit_is_looked_at_again_and_no_digests_are_made():
    one_embedding = 6 * 4
    store, network, images = FeatureStore(8, 8 * one_embedding - 1), Network(), make_batch().images
    recall = store.recall(image_digests(images))
    recall("embedding", images, lambda pictures: [network.embed(pictures)])
    recall("embedding", images, lambda pictures: [network.embed(pictures)])
    assert network.seen == 1 + 4 + 4
    assert store.is_useless
    roomy = FeatureStore(8, 8 * one_embedding)
    roomy.recall(image_digests(images))("embedding", images, lambda pictures: [network.embed(pictures)])
    assert not roomy.is_useless


def test_memory_is_bounded_by_the_images_that_were_promised():
    store, network = FeatureStore(4, PLENTY), Network()
    for seed in range(3):
        images = make_batch(seed).images
        store.recall(image_digests(images))("embedding", images, lambda pictures: [network.embed(pictures)])
    assert len(store._kinds["embedding"]) == 4


def test_features_of_a_real_network_are_kept_to_the_bit():
    network, images = load_perceptual("efficientnet_lite0"), make_batch(count=2).images
    store, digests = FeatureStore(2, 2**27), image_digests(images)
    first = store.recall(digests)("stages", images, network.stage_features)
    again = store.recall(digests)("stages", images, network.stage_features)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    for one, other in zip(first, look_again("stages", images, network.stage_features), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
