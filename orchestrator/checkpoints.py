"""Checkpoints by the words of an experiment file: a path below the root, a folder, or a URI."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from g3dr.config import ModelConfig
from g3dr.errors import CheckpointError
from g3dr.training.layout import INDEX, MODEL
from orchestrator.ledger import Ledger
from orchestrator.settings import overlaid
from orchestrator.sources import parse_origin
from orchestrator.spec import Experiment
from orchestrator.store import Store, open_store

if TYPE_CHECKING:
    from g3dr.training.checkpoint import Checkpoint


def locate(name: str, root: Store) -> tuple[Store, str]:
    """Returns the store and the path in it of the checkpoint called `name`.

    Raises:
        CheckpointError: There is no checkpoint.
    """
    places = [(open_store(name), "")] if "://" in name or Path(name).is_absolute() else [(root, f"{name}/"), (open_store(name), "")]
    for store, prefix in places:
        if store.exists(f"{prefix}{INDEX}"):
            return store, prefix.rstrip("/")
    raise CheckpointError(
        f"{name}: no checkpoint here, neither below {root.uri} nor as a folder or URI (it would hold {INDEX} and {MODEL})"
    )


def read_initial(name: str, root: Store) -> "Checkpoint":
    """Reads the checkpoint called `name`.

    Raises:
        CheckpointError: It is missing or damaged.
    """
    store, path = locate(name, root)
    return Ledger(store).read_checkpoint(path)


def outside_identities(experiment: Experiment, root: Store) -> dict[str, str]:
    """Returns the SHA-256 of the model of every checkpoint that an experiment names directly.

    Raises:
        CheckpointError: One is not there.
    """
    origins = [parse_origin(stage.source) for stage in experiment.stages if stage.source]
    return {origin.name: _identity(origin.name, root) for origin in origins if origin.kind == "checkpoint"}


def check_outside(experiment: Experiment, root: Store) -> None:
    """Makes sure that every checkpoint that an experiment names directly fits the stage that starts from it.

    Raises:
        CheckpointError: One is missing, damaged or of another size.
    """
    for stage in experiment.stages:
        origin = parse_origin(stage.source) if stage.source else None
        if origin is not None and origin.kind == "checkpoint":
            settings = overlaid(experiment.base, {"model": getattr(stage, "model", {})}, f"stages.{stage.name}")
            _check_size(settings.model, origin.name, root)


def _check_size(config: ModelConfig, name: str, root: Store) -> None:
    from g3dr.model import G3DR  # noqa: PLC0415  (brings torch)
    from g3dr.training.checkpoint import load_model  # noqa: PLC0415

    load_model(G3DR(config), read_initial(name, root).model, name)


def _identity(name: str, root: Store) -> str:
    store, path = locate(name, root)
    index = json.loads(store.read_bytes(f"{path}/{INDEX}" if path else INDEX))
    return str(index["sha256"][MODEL])
