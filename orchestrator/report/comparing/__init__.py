"""Several experiments on one page: their numbers side by side, paired where they measured the same images."""

from orchestrator.report.comparing.build import build_comparison

__all__ = ["build_comparison"]
