"""Rotations."""

import numpy as np
from jaxtyping import Float64


def rotation(yaw: float = 0.0, roll: float = 0.0, pitch: float = 0.0) -> Float64[np.ndarray, "3 3"]:
    """Returns Ry(yaw) Rz(roll) Rx(pitch), radians: `pitch` about x acts first, `yaw` about y last."""
    (cy, cz, cx), (sy, sz, sx) = np.cos([yaw, roll, pitch]), np.sin([yaw, roll, pitch])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return np.asarray(about_y @ about_z @ about_x)
