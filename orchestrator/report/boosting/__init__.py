"""The page of a study of boosting: what it does to the error of depth, in a table, in charts and in pictures."""

from orchestrator.report.boosting.build import boosting_page
from orchestrator.report.boosting.records import Example, Measured

__all__ = ["Example", "Measured", "boosting_page"]
