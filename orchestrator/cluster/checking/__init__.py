"""Whether a cluster file will do what it says, checked without an account, and what an hour of it costs."""

from orchestrator.cluster.checking.check import check_cluster
from orchestrator.cluster.checking.costs import HourlyCost, Offer
from orchestrator.cluster.checking.findings import Finding
from orchestrator.cluster.checking.report import ClusterReport

__all__ = ["ClusterReport", "Finding", "HourlyCost", "Offer", "check_cluster"]
