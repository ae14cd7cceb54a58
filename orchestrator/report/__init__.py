"""One page, its tables and one summary per experiment: what was run, how well it did, and what the numbers do not say."""

from orchestrator.report.build import ReportPaths, build_report
from orchestrator.report.comparing import build_comparison

__all__ = ["ReportPaths", "build_comparison", "build_report"]
