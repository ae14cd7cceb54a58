"""Asks an estimator for maps: all at once, and where that fails one after the other, to see whose fault it is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dr.depth import DepthEstimator, Picture
from g3dr.errors import DataError, G3drError


class EstimatorStoppedError(G3drError):
    """The estimator as a whole failed, which says nothing about a picture."""


def maps_of(estimator: DepthEstimator, pictures: list[Picture]) -> "list[NDArray[Any] | DataError]":
    """Returns the map of each picture, or why it has none.

    Raises:
        EstimatorStoppedError: The estimator failed in a way that is no picture's fault.
        G3drError: It said so itself.
    """
    try:
        return [*_checked(estimator, pictures)] if pictures else []
    except DataError as error:
        return [error] if len(pictures) == 1 else [one for picture in pictures for one in maps_of(estimator, [picture])]


def _checked(estimator: DepthEstimator, pictures: list[Picture]) -> "list[NDArray[Any]]":
    try:
        maps = estimator.estimate(pictures)
    except G3drError:
        raise
    except Exception as error:  # a device that fell off the bus, a defect of an estimator
        reason = f"the estimator stopped at {pictures[0].key} ({first_line(error)})"
        raise EstimatorStoppedError(f"{reason}; what is done is kept: run the same command again to continue") from error
    for picture, values in zip(pictures, maps, strict=True):
        if values.shape != picture.rgb.shape[:2]:
            raise DataError(f"the estimator gave a map of the shape {values.shape} for a picture of the shape {picture.rgb.shape[:2]}")
    return [np.asarray(values) for values in maps]


def first_line(error: Exception) -> str:
    """Returns an error's kind and first line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
