"""One page and one summary per experiment: what was run, how well it did, and what the numbers do not say."""

from orchestrator.report.build import ReportPaths, build_report

__all__ = ["ReportPaths", "build_report"]
