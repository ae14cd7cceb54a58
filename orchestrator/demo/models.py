"""The models of a root that somebody may choose: what stages trained, the best or only run of each by the stage's name."""

from collections.abc import Iterator
from dataclasses import dataclass

from g3dr.errors import CheckpointError
from g3dr.training.layout import INDEX
from orchestrator.checkpoints import find
from orchestrator.finding import experiments, stage_names
from orchestrator.ledger import Ledger
from orchestrator.store import Store

DEFAULT = "quickstart/pretrain"
TRAINED = ("train", "sweep", "grid")  # the kinds of stages whose runs are G3DR models of their own
_MOST_RUNS = 60  # of one stage, in a list that a person reads


@dataclass(frozen=True)
class Model:
    """A model to choose.

    Attributes:
        name: As `orchestrator.checkpoints.find` takes it.
        label: For people.
    """

    name: str
    label: str


def models(root: Store) -> list[Model]:
    """Returns the models of a root, by experiment, each run once; listing, not reading, what they consist of."""
    with_checkpoint = {path.split("/")[1] for path in root.list("runs") if path.endswith(f"/{INDEX}")}
    stages = [(experiment, stage) for experiment in experiments(root) for stage in stage_names(root, experiment)]
    found: dict[str, Model] = {}
    for experiment, stage in stages:
        for model in _of_stage(root, experiment, stage, with_checkpoint):
            found.setdefault(model.name, model)
    return list(found.values())


def _of_stage(root: Store, experiment: str, stage: str, with_checkpoint: set[str]) -> Iterator[Model]:
    record = Ledger(root).stage(experiment, stage) or {}
    if record.get("kind", "train") not in TRAINED:
        return
    name = f"{experiment}/{stage}"
    runs = {str(entry["run"]): str(entry["label"]) for entry in record.get("runs", []) if entry["run"] in with_checkpoint}
    best = record.get("best")
    if best in runs or len(record.get("runs", [])) == len(runs) == 1:
        yield Model(name, f"{name} (best of {len(runs)})" if len(runs) > 1 else name)
    else:
        yield from (Model(f"runs/{run}", f"{name}: {label}") for run, label in list(runs.items())[:_MOST_RUNS])


def choice(root: Store, wanted: str | None) -> list[Model]:
    """Returns the models to choose from, the one to begin with first.

    Args:
        root: Where results are.
        wanted: What somebody named; None for the quickstart's model, or else the first there is.

    Raises:
        CheckpointError: There is no such model, or none at all; says how to get one.
    """
    found = models(root)
    if wanted is not None:
        find(wanted, root)
        known = next((model for model in found if model.name == wanted), Model(wanted, wanted))
        return [known, *(model for model in found if model != known)]
    if not found:
        raise CheckpointError(
            f"{root.uri}: no trained model here yet; to get one run `make quickstart` (minutes on two cores), or name one with --checkpoint"
        )
    return sorted(found, key=lambda model: model.name != DEFAULT)
