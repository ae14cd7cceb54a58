"""The recipe weights and inputs of the goldens, and comparisons with them (see goldens/README.md)."""

from pathlib import Path

import numpy as np
import torch

GOLDENS = Path(__file__).parent / "goldens"


def recipe_state(shapes, seed):
    """Returns one stream of normal numbers in the order of sorted names, scaled as the README says."""
    generator, state = np.random.RandomState(seed), {}
    for name in sorted(shapes):
        normal = generator.standard_normal(shapes[name]).astype(np.float32)
        if name == "pos_embed" or name.endswith((".g", "norm.weight")):
            normal = 1 + 0.1 * normal
        elif name.endswith("bias"):
            normal = 0.1 * normal
        elif "decoder.net" not in name:
            normal = normal / np.sqrt(np.prod(normal.shape[1:]))
        state[name] = torch.from_numpy(normal.astype(np.float32))
    return state


def recipe_input(seed, resolution):
    """Returns an image and its depth as one array of four channels."""
    generator = np.random.RandomState(seed)
    color = generator.uniform(-1, 1, (1, 3, resolution, resolution))
    depth = generator.uniform(4, 6, (1, 1, resolution, resolution))
    return torch.from_numpy(np.concatenate([color, depth], axis=1).astype(np.float32))


class Golden:
    """The arrays of one file; knows which of them nobody has compared yet."""

    def __init__(self, name):
        with np.load(GOLDENS / f"{name}.npz") as archive:
            self._arrays = dict(archive)
        self.untouched = set(self._arrays)

    def __getitem__(self, name):
        self.untouched.discard(name)
        return self._arrays[name]

    def tensor(self, name):
        return torch.from_numpy(self[name])

    def check(self, name, actual, tolerance=2e-5):
        """Compares with the largest magnitude of the array as the unit."""
        expected = self[name]
        actual = actual.detach().numpy() if isinstance(actual, torch.Tensor) else np.asarray(actual)
        assert actual.shape == expected.shape, name
        assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max(), name
