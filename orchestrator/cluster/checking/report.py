"""What a check hands over: findings, machines with prices, what an hour costs, and which stages fit."""

from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.cluster.checking.costs import HourlyCost, Offer
from orchestrator.cluster.checking.findings import Finding
from orchestrator.cluster.checking.fitting import Fit
from orchestrator.experiment.problems import ExperimentError


@dataclass(frozen=True)
class ClusterReport:
    """A checked cluster file.

    Attributes:
        file: Its name.
        provider: aws, gcp, ..., or kuberay.
        findings: What is wrong or doubtful.
        offers: The kinds of machines; empty if the file could not be understood.
        most_workers: Workers that there may be at once.
        cost: Of an hour; None if the file could not be understood.
        fits: How the stages of the experiments fit.
        note: What was not looked at; empty if nothing was left out.
    """

    file: str
    provider: str
    findings: tuple[Finding, ...]
    offers: tuple[Offer, ...] = ()
    most_workers: int = 0
    cost: HourlyCost | None = None
    fits: tuple[Fit, ...] = ()
    note: str = ""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stands in the way."""
        return tuple(finding for finding in self.findings if finding.is_wrong)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is probably not meant."""
        return tuple(finding for finding in self.findings if not finding.is_wrong)

    def check(self) -> None:
        """Refuses a file that cannot be used.

        Raises:
            ExperimentError: With everything that stands in the way.
        """
        if self.errors:
            raise ExperimentError(self.file, [finding.problem for finding in self.errors])

    def to_json(self) -> dict[str, Any]:
        """Returns it for programs; keys are stable."""
        return {
            "file": self.file,
            "provider": self.provider,
            "ok": not self.errors,
            "errors": [_finding(finding) for finding in self.errors],
            "warnings": [_finding(finding) for finding in self.warnings],
            "note": self.note,
            "max_workers": self.most_workers,
            "machines": [_offer(offer) for offer in self.offers],
            "cost": None if self.cost is None else {**asdict(self.cost), "unpriced": list(self.cost.unpriced)},
            "experiments": [asdict(fit) for fit in self.fits],
        }


def _finding(finding: Finding) -> dict[str, str]:
    problem = finding.problem
    return {"path": problem.path, "got": str(problem.got), "allowed": problem.allowed, "hint": problem.hint, "sentence": str(problem)}


def _offer(offer: Offer) -> dict[str, Any]:
    per_hour = None if offer.price is None else offer.price.per_hour
    return {**asdict(offer.machine), "per_hour": per_hour, "per_hour_otherwise": offer.otherwise, "price": offer.entry}
