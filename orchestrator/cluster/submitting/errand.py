"""What a job is to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster.submitting.identity import job_prefix


@dataclass(frozen=True)
class Errand:
    """What a job is to do.

    Attributes:
        experiment: Name of the experiment.
        root: URI of its root.
        command: What a shell runs.
        package: The ZIP file of the working directory.
        environment: Variables of all processes, those that are secret sealed.
        fingerprint: Equal for what would do the same work.
    """

    experiment: str
    root: str
    command: str
    package: Path
    environment: Mapping[str, str]
    fingerprint: str

    @property
    def prefix(self) -> str:
        """The beginning of the ids of its jobs."""
        return job_prefix(self.experiment, self.root)
