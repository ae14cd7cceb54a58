"""The numbers by which trials are compared, and which direction is better."""

from typing import Literal, get_args

Score = Literal[
    "canonical_psnr",
    "canonical_ssim",
    "depth_rmse",
    "depth_l2_normalized",
    "novel_psnr",
    "novel_psnr_in_box",
    "novel_psnr_foreground",
    "novel_depth_rmse",
    "fd",
    "kid",
    "inception_score",
    "nfs",
    "seconds_per_step",
]
Mode = Literal["min", "max"]
SCORES: tuple[Score, ...] = get_args(Score)
_LESS_IS_BETTER = {"depth_rmse", "depth_l2_normalized", "novel_depth_rmse", "fd", "kid", "seconds_per_step"}


def mode_of(metric: str) -> Mode:
    """Returns whether less or more of `metric` is better."""
    return "min" if metric in _LESS_IS_BETTER else "max"


def needs_novel_views(metric: str | None) -> bool:
    """Tells whether `metric` exists only where true novel views are known."""
    return metric is not None and metric.startswith("novel_")
