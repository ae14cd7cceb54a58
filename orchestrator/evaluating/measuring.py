"""Measures a checkpoint and writes the record to the ledger: in this process, or shared out among Ray tasks."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from g3dr.model import G3DR
from orchestrator.checkpoints import load_model
from orchestrator.computing.evaluation.evaluator import Advance, Evaluator
from orchestrator.computing.evaluation.parts import Part
from orchestrator.computing.evaluation.record import evaluated, scope_of
from orchestrator.evaluating.subject import Subject
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.runs import EvaluationSpec
from orchestrator.shards.selection import Selection
from orchestrator.store import Store, open_store


@dataclass(frozen=True)
class Job:
    """A measurement, as it travels to other processes.

    Attributes:
        checkpoint: URI of the checkpoint's folder.
        spec: What is measured.
        dataset: Where the data set lies.
        root: URI of the ledger's store.
        device: Where to compute.
    """

    checkpoint: str
    spec: EvaluationSpec
    dataset: str
    root: str
    device: str

    @property
    def store(self) -> Store:
        """The ledger's store."""
        return open_store(self.root)

    def model(self) -> G3DR:
        """Reads the model.

        Raises:
            CheckpointError: It is damaged, or nothing tells its configuration.
        """
        return load_model(self.checkpoint, self.store).to(self.device).eval()

    def evaluator(self, resolution: int, advance: Advance | None = None) -> Evaluator:
        """Returns what measures models of a resolution."""
        data = self.spec.data
        selection = Selection(self.dataset, data.version, data.split, data.species)
        return Evaluator(self.spec, selection, resolution, torch.device(self.device), self.store, advance=advance)


Share = Callable[[Job, Evaluator, Advance], Part]


def measure_here(job: Job, evaluator: Evaluator, advance: Advance) -> Part:  # noqa: ARG001  (the evaluator tells how far it is)
    """Measures all objects in this process."""
    return evaluator.measure(job.model(), scope=scope_of(job.spec))


def measure(job: Job, subject: Subject, advance: Advance, share: Share = measure_here) -> dict[str, Any]:
    """Measures a checkpoint, unless the ledger has that already; returns the record.

    Args:
        job: What is measured.
        subject: The checkpoint.
        advance: Called with the objects that are done and all of them.
        share: Who does it.

    Raises:
        CheckpointError: The checkpoint is damaged, or nothing tells its configuration.
        DataError: The data set has changed or is damaged.
    """
    ledger = Ledger(job.store)
    known = ledger.evaluation(subject.run, job.spec.id)
    if known is not None:
        return known
    model = job.model()
    evaluator = job.evaluator(model.config.generator.resolution, advance)
    found = evaluated(subject.run, evaluator, share(job, evaluator, advance))
    found.record["checkpoint"] = {"uri": subject.uri, "step": subject.step, "sha256": subject.sha256}
    if not subject.is_run:
        _describe(subject, model, ledger)
    found.write(ledger)
    return found.record


def _describe(subject: Subject, model: G3DR, ledger: Ledger) -> None:
    """Lets the ledger know a checkpoint that is no run of its own; its id is no run's, so that nobody takes it for one."""
    training = {"training": {"steps": subject.step}, "seed": 0}
    ledger.write_spec(subject.run, {"checkpoint": subject.uri, "initial": subject.sha256, "model": asdict(model.config), **training})
    ledger.set_status(subject.run, RunStatus("finished", subject.step))
