"""Two ways to compute a run: inline, in a warm actor that serves many; distributed, with Ray Train's workers."""

from orchestrator.executors.tuning import Work, compute, early_stopping

__all__ = ["Work", "compute", "early_stopping"]
