"""Who says which part of a photograph is the object, and what becomes of the rest.

A removed background is cut off what leaves the model, never off what enters it: the mesh, and the frames of the video. The model has
learned from pictures with a background, and sees objects worse before a flat one, in whatever colour or depth (docs/photographs.md).
"""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Background = Literal["keep", "remove"]


class BackgroundModel(Protocol):
    """Finds the object of a picture."""

    @property
    def name(self) -> str:
        """What people call it."""

    def mask(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Returns where the object is, in the picture's own size.

        Raises:
            DataError: There is none.
        """
