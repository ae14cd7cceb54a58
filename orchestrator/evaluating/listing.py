"""An experiment of the ledger that lists what was measured by hand, so that `g3dr report` makes a page of it."""

from typing import Any

from orchestrator.evaluating.subject import Subject
from orchestrator.ledger import Ledger
from orchestrator.lineage import git_state
from orchestrator.runs import COMPUTE_VERSION
from orchestrator.shards.selection import Selection

STAGE = "evaluate"


def list_evaluation(ledger: Ledger, experiment: str, subject: Subject, record: dict[str, Any], selection: Selection) -> None:
    """Adds an evaluation to the experiment's only stage; one that is there already stays where it is.

    Two who do this at the same moment may lose one entry of the list, never a record; the same command adds it again.
    """
    before = ledger.stage(experiment, STAGE) or {"runs": []}
    entry = {
        "run": subject.run,
        "evaluation": record["id"],
        "label": subject.name,
        "assignment": {},
        "species": None,
        "recipe": None,
        "seed": 0,
        "state": "finished",
    }
    others = [known for known in before["runs"] if (known["run"], known["evaluation"]) != (entry["run"], entry["evaluation"])]
    stage = {"name": STAGE, "kind": "evaluate", "seconds": 0.0, "runs": [*others, entry], "best": None, "metric": None, "mode": None}
    ledger.write_experiment(experiment, _experiment(experiment, selection))
    ledger.write_stage(experiment, STAGE, stage)


def _experiment(name: str, selection: Selection) -> dict[str, Any]:
    data = selection.dataset.rstrip("/").rpartition("/")[2]
    rows = selection.manifest().rows()
    return {
        "name": name,
        "description": "Checkpoints measured with g3dr evaluate.",
        "data": {data: {"dataset": selection.dataset}},
        "stages": [{"name": STAGE, "kind": "evaluate", "data": data}],
        "datasets": [{"name": data, "uri": selection.dataset, "version": selection.version, "rows": rows}],
        "git": git_state(),
        "compute_version": COMPUTE_VERSION,
    }
