"""A run to track, for the tests of logs and trackers."""

from experiment_document import DOCUMENT

from orchestrator.experiment.spec import parse_experiment
from orchestrator.ledger import Ledger
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.runs import RunRequest
from orchestrator.tracking import RunOutputs


def pretrain_request() -> RunRequest:
    """Returns the only run of a training stage."""
    experiment = parse_experiment(DOCUMENT)
    known = Knowledge({"animals": DatasetInfo("datasets/animals", "v1", ("a", "b"))})
    (made,) = expand_stage(experiment, experiment.stage("pretrain"), known)
    return made


def without_mlflow(monkeypatch) -> None:
    """Leaves out a server that the machine's user may have."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def logs(ledger, request: RunRequest) -> dict[str, str]:
    """Returns all logs of a run by their file names."""
    folder = f"runs/{request.spec.id}/logs"
    return {path.rpartition("/")[2]: ledger.store.read_bytes(path).decode() for path in ledger.store.list(folder)}


def do_steps(outputs: RunOutputs, ledger: Ledger, run: str, steps: range) -> None:
    """Reports every step, and writes rows and has them tracked at every second."""
    for step in steps:
        outputs.scalars(step, {"loss": float(step)})
        if step % 2 == 0:
            ledger.write_metrics(run, step, [{"step": step - 1, "loss": step - 1.0}, {"step": step, "loss": float(step)}])
            outputs.checkpoint(step)
