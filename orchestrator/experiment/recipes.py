"""The three ways in which the report treats a pretrained model on new species [R], as changes to the settings."""

from collections.abc import Mapping
from typing import Any

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "pre_trained": {"training": {"steps": 0}},
    "fine_tuned": {"training": {"freeze": "encoder"}},
    "optimized": {
        "training": {"freeze": "encoder", "depth_importance": 1.0},
        "objective": {"rgb": {"form": "smooth_l1"}, "depth": {"form": "smooth_l1"}, "clip": {"form": "cosine"}},
    },
}
"""`pre_trained` trains nothing; `fine_tuned` trains the decoder half with the experiment's losses, `optimized` with the report's."""
