"""What training minimises: the four forms of comparison, the terms, their schedules and the objective.

Nothing here knows how pictures are rendered; a loss sees tensors and, for two terms, a frozen backbone.
"""

from g3dr.losses.forms import compare, compare_per_image
from g3dr.losses.objective import Objective, Progress, Terms
from g3dr.losses.pixels import opacity_loss, pooled_rgb, total_variation
from g3dr.losses.semantic import deep_feature_distance, embedding_distance
from g3dr.losses.targets import FeatureStore

__all__ = [
    "FeatureStore",
    "Objective",
    "Progress",
    "Terms",
    "compare",
    "compare_per_image",
    "deep_feature_distance",
    "embedding_distance",
    "opacity_loss",
    "pooled_rgb",
    "total_variation",
]
