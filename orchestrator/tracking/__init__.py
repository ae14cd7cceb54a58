"""What a run leaves behind for people besides its results: its log, TensorBoard's event files, and MLflow where that is configured."""

from orchestrator.tracking.outputs import RunOutputs

__all__ = ["RunOutputs"]
