"""Pictures at twice their size: bicubic, or by a small network that learned from pictures and their halves (docs/photographs.md).

`config` says what a network is and needs no torch; `frames` enlarges pictures; `learning` trains.
"""

from g3dr.upscaling.config import FACTOR, UpscalerConfig

__all__ = ["FACTOR", "UpscalerConfig"]
