"""Value noise on a lattice of random numbers: the ground of every texture."""

import numpy as np
from jaxtyping import Float, Float32

# One table serves the whole space: cell (x, y, z) reads number x + 41 y + 41^2 z, so the pattern repeats only after about 40 cells,
# and a cell's eight corners are eight fixed offsets. A seed moves the start.
_SIZE = 1 << 16
_STRIDES = np.array([1, 41, 41 * 41])
_TABLE = np.random.default_rng(7).random(_SIZE, dtype=np.float32)
_SEED_STRIDE = 40503


def value_noise(points: Float[np.ndarray, "point 3"], seed: int) -> Float32[np.ndarray, "point"]:
    """Returns smooth noise in [0, 1) with one random value per unit cell's corner."""
    return _lookup(points, seed * _SEED_STRIDE)


def fractal_noise(points: Float[np.ndarray, "point 3"], seed: int, octaves: int = 3) -> Float32[np.ndarray, "point"]:
    """Returns octaves of `value_noise`, each twice as fine and half as strong as the one before; in [0, 1)."""
    count = len(points)
    stacked = np.concatenate([points * np.float32(2**octave) for octave in range(octaves)])
    starts = np.repeat((seed + np.arange(octaves)) * _SEED_STRIDE, count)
    weights = (0.5 ** np.arange(1, octaves + 1) / (1 - 0.5**octaves)).astype(np.float32)
    return np.asarray(weights @ _lookup(stacked, starts).reshape(octaves, count))


def _lookup(points: Float[np.ndarray, "point 3"], start: int | np.ndarray) -> Float32[np.ndarray, "point"]:
    lower = np.floor(points)
    fraction = (points - lower).astype(np.float32).T
    fraction = fraction * fraction * (3 - 2 * fraction)
    cells = lower.astype(np.int64) @ _STRIDES + start
    x, y, z = fraction
    return _mix(_mix(_edge(cells, x, 0, 0), _edge(cells, x, 1, 0), y), _mix(_edge(cells, x, 0, 1), _edge(cells, x, 1, 1), y), z)


def _edge(cells: np.ndarray, x: Float32[np.ndarray, "point"], y_step: int, z_step: int) -> Float32[np.ndarray, "point"]:
    """Interpolates along one of the four edges of a cell that run in x."""
    near = cells + int(_STRIDES[1] * y_step + _STRIDES[2] * z_step)
    return _mix(_TABLE[near & (_SIZE - 1)], _TABLE[(near + 1) & (_SIZE - 1)], x)


def _mix(
    low: Float32[np.ndarray, "point"], high: Float32[np.ndarray, "point"], weight: Float32[np.ndarray, "point"]
) -> Float32[np.ndarray, "point"]:
    return np.asarray(low + weight * (high - low))
