"""Two maps of one picture become one: the structure of the first, the detail of the second.

Without a learned network: a guided filter [He, Sun and Tang, Guided Image Filtering, 2013] of the coarse map, guided by the detailed
one. Within each window the result is the detailed map, scaled and shifted so that it fits the coarse one best. Windows are a few
pixels of the coarse map's own resolution wide, so that what the coarse map resolves is kept, and a drift of the detailed map
over longer distances goes into scale and shift.
"""

import numpy as np
from jaxtyping import Float64
from scipy.ndimage import uniform_filter

FLAT = 1e-3
"""Windows whose standard deviation is below this part of the detailed map's own hold no detail, and take the coarse map's mean."""

Map = Float64[np.ndarray, "height width"]


def merged(structure: Map, detail: Map, window: int) -> Map:
    """Returns a map with the structure of one and the detail of another.

    Args:
        structure: Right over long distances, blurred over short ones.
        detail: Right over short distances, in any scale and shift.
        window: Side of the windows, pixels; a few times the blur of `structure`.
    """
    mean_detail, mean_structure = (uniform_filter(one, window) for one in (detail, structure))
    variance = uniform_filter(detail * detail, window) - mean_detail**2
    covariance = uniform_filter(detail * structure, window) - mean_detail * mean_structure
    # A detail that runs against the structure is not a detail of it.
    scale = np.maximum(covariance, 0) / (variance + (FLAT * detail.std()) ** 2 + np.finfo(np.float64).tiny)
    shift = mean_structure - scale * mean_detail
    return np.asarray(uniform_filter(scale, window) * detail + uniform_filter(shift, window))


def fitted(values: Map, reference: Map) -> Map:
    """Returns values in the scale and shift, in the least squares, of a reference; a map that runs against it becomes its mean."""
    spread = values - values.mean()
    scale = float((spread * (reference - reference.mean())).sum() / max((spread**2).sum(), np.finfo(np.float64).tiny))
    return np.asarray(max(scale, 0.0) * spread + reference.mean())
