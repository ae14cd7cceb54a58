"""A depth estimator without weights, for tests of what is done with estimates: what is red is near."""

import numpy as np

from g3dr.depth import Measure


class RedIsNear:
    """Takes the amount of red for disparity.

    Attributes:
        asked: How many pictures came with each call.
    """

    measure = Measure("disparity", is_scaled=False)

    def __init__(self):
        self.asked = []

    def identity(self):
        return {"name": "red_is_near", "weights": "0123456789abcdef"}

    def estimate(self, pictures):
        self.asked.append(len(pictures))
        return [one.rgb[..., 0].astype(np.float32) for one in pictures]


class RedRecipe:
    """Makes one, in the place of the shipped network."""

    uses_gpu, needs_dataset = False, False

    def __init__(self, wishes):
        self.wishes = wishes

    @classmethod
    def prepare(cls, wishes, dataset):
        return cls(wishes)

    def identity(self):
        return RedIsNear().identity()

    def build(self, gpus):
        return RedIsNear()
