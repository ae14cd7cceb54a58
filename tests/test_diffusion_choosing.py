"""Which candidate is kept, and which species a picture looks like."""

import numpy as np
import pytest
import torch

from g3dr.diffusion.choosing import LikenessJudge, best_of, judge_named
from g3dr.diffusion.generator import Wish
from g3dr.diffusion.likeness import SpeciesPictures, accuracy
from g3dr.errors import ConfigError, DataError, WeightsMissingError
from g3dr.metrics import FeatureStatistics
from orchestrator.generating.drawing import DrawingOptions, draw


class Brightness:
    name = "brightness"

    def scores(self, pictures):
        return [float(picture.mean()) for picture in pictures]


class Painter:
    """Draws a gray that the seed says."""

    condition, classes = "class", ("fish",)

    def identity(self):
        return {"name": "painter"}

    def generate(self, wish, seeds, settings, advance):
        return np.stack([np.full((4, 4, 3), 40 * seed % 251, dtype=np.uint8) for seed in seeds])


def statistics(features):
    rows = torch.tensor(features, dtype=torch.float32)
    return FeatureStatistics(rows, torch.full((len(rows), 2), 0.5), tuple(f"key-{row}" for row in range(len(rows))))


REAL = SpeciesPictures(statistics([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 2.0]]), ("fish", "fish", "bird", "bird"))


def test_the_best_of_each_run_of_candidates_is_kept():
    pictures = np.stack([np.full((2, 2, 3), value, dtype=np.uint8) for value in (3, 9, 5, 8, 1, 2)])
    assert best_of(Brightness(), pictures, 3) == ([1, 3], [3.0, 9.0, 5.0, 8.0, 1.0, 2.0])


def test_a_kept_picture_remembers_all_candidates():
    options = DrawingOptions(count=2, candidates=3, seed=10)
    drawn = draw(Painter(), Wish("fish"), options, Brightness, lambda *told: None)
    assert [one.seed for one in drawn] == [12, 15]
    assert [one["seed"] for one in drawn[1].candidates] == [13, 14, 15]
    assert drawn[0].candidates[2]["score"] == float(drawn[0].picture.mean())
    assert drawn[0].judge == "brightness"


def test_without_candidates_nobody_judges():
    def nobody():
        raise AssertionError

    drawn = draw(Painter(), Wish("fish"), DrawingOptions(count=2), nobody, lambda *told: None)
    assert [(one.seed, one.judge, one.candidates[0]["score"]) for one in drawn] == [(0, None, None), (1, None, None)]


def test_the_species_of_a_picture_is_that_of_its_nearest_real_one():
    assert REAL.nearest(torch.tensor([[5.0, 0.5], [0.2, 0.9]])) == ["fish", "bird"]
    assert REAL.leave_one_out() == ["fish", "fish", "bird", "bird"]
    assert accuracy(["fish", "bird"], ["fish", "fish"]) == 0.5
    with pytest.raises(DataError, match="there are none"):
        SpeciesPictures(FeatureStatistics.empty(), ()).nearest(torch.zeros(1, 2))


def test_likeness_prefers_a_real_picture_of_the_species_to_another(monkeypatch):
    generator = np.random.default_rng(0)
    red, blue = (np.kron(generator.integers(0, 255, (4, 4, 1)), np.ones((16, 16, 3))) * tint for tint in ([1, 0.2, 0.1], [0.1, 0.3, 1]))
    pictures = np.stack([red, blue]).astype(np.uint8)
    from g3dr.backbones import load_extractor

    tensors = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    real = SpeciesPictures(FeatureStatistics.of(load_extractor("efficientnet_lite0").extract(tensors), ["a", "b"]), ("red", "blue"))
    scores = LikenessJudge("red", real).scores(pictures)
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores[1] < scores[0]
    with pytest.raises(ConfigError, match="species of which the data set has pictures"):
        LikenessJudge("green", real)


def test_a_judge_that_cannot_be_had_is_a_sentence():
    with pytest.raises(WeightsMissingError, match="CLIP"):
        judge_named("auto", "a cat", is_text=True, real=None)
    with pytest.raises(ConfigError, match="--data"):
        judge_named("likeness", "fish", is_text=False, real=None)


@pytest.mark.parametrize("options", [{"count": 0}, {"candidates": 0}, {"seed": -1}])
def test_numbers_that_mean_nothing_are_refused(options):
    with pytest.raises(ConfigError, match="or more"):
        DrawingOptions(**options)
