"""Depth from single pictures: what an estimator is, those there are, and how their numbers become this project's depth.

A further estimator is one file with a class that is a `DepthEstimator`; `orchestrator/depth/recipes.py` gives it its name.
`models` needs torch and the optional package transformers, and is imported where it is used.
"""

from g3dr.depth.estimator import DepthEstimator, Measure, Picture
from g3dr.depth.files import FileEstimator
from g3dr.depth.mapping import MAPPING_VERSION, TAIL, to_disparity, to_distance
from g3dr.depth.procedural import ProceduralEstimator

__all__ = [
    "MAPPING_VERSION",
    "TAIL",
    "DepthEstimator",
    "FileEstimator",
    "Measure",
    "Picture",
    "ProceduralEstimator",
    "to_disparity",
    "to_distance",
]
