"""Depth with more detail from an estimator as it is: several sizes of a picture and of its parts, merged (docs/boosting.md).

After Miangoleh, Dille, Mai, Paris and Aksoy, Boosting Monocular Depth Estimation Models to High-Resolution via Content-Adaptive
Multi-Resolution Merging, CVPR 2021, with a guided filter in the place of the learned merging network.
"""

from g3dr.depth.boosting.estimator import BoostedEstimator
from g3dr.depth.boosting.options import BoostOptions, ScalableEstimator, boosted_identity

__all__ = ["BoostOptions", "BoostedEstimator", "ScalableEstimator", "boosted_identity"]
