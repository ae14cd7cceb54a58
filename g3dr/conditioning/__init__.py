"""What the generator learns of besides picture and depth: embeddings and feature maps of frozen networks, names of species [R, 3.1]."""

from g3dr.conditioning.layers import ConditioningLayers
from g3dr.conditioning.sources import UNKNOWN, condition

__all__ = ["UNKNOWN", "ConditioningLayers", "condition"]
