"""Where a picture gives cues to its depth, and how large a network may be shown it before parts of it are without any.

A convolutional network judges a pixel by what lies within its receptive field. Edges are what it judges by. Shown larger, the same
picture has fewer edges within each field: first details come out, then flat parts lose their place. How large is too large follows
from how far pixels are from the nearest edge [Miangoleh et al., Boosting Monocular Depth Estimation Models to High-Resolution via
Content-Adaptive Multi-Resolution Merging, CVPR 2021, section 4].
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import distance_transform_cdt, gaussian_gradient_magnitude

EDGE_WIDTH = 1.0
"""Standard deviation of the Gaussian whose gradients are taken, pixels."""

FAINTEST_EDGE = 4.0
"""Gray levels a pixel; less is noise, even where nothing in the picture is stronger."""


def edge_map(rgb: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Returns the pixels on edges: those whose gradient is above the picture's mean, and no noise."""
    gray = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    gradient = gaussian_gradient_magnitude(gray, EDGE_WIDTH)
    return np.asarray(gradient > max(FAINTEST_EDGE, float(gradient.mean())))


def edge_distance(edges: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Returns how far the nearest edge is from each pixel, along rows and columns, pixels; infinite without any edge."""
    if not edges.any():
        return np.full(edges.shape, np.inf)
    return np.asarray(distance_transform_cdt(~edges, "chessboard"), dtype=np.float64)


def largest_side(distance: Float[np.ndarray, "height width"], receptive_side: int, without_cues: float) -> float:
    """Returns the largest shorter side at which a picture should be shown to a network: the paper's R_x.

    At that size, so large a share of the pixels has no edge within the receptive field around it. A field of `receptive_side` pixels
    covers `receptive_side / side` of the picture's shorter side, so the distance to the nearest edge tells the side directly.

    Args:
        distance: See `edge_distance`.
        receptive_side: Side of the network's receptive field, pixels of its input.
        without_cues: The share, 0 to less than 1: the paper's x.
    """
    reach = float(np.quantile(distance, 1 - without_cues, method="lower"))
    return receptive_side * min(distance.shape) / (2 * max(reach, 0.5)) if np.isfinite(reach) else 0.0
