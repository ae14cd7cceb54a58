"""The page of a generated set: what was asked for, who drew it, what it looks like, and what its figures say."""

from orchestrator.report.generated.build import write_generated

__all__ = ["write_generated"]
