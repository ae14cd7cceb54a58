"""Checkpoints by name: a path below the root, a folder or a URI; and for people a run, or `EXPERIMENT/STAGE` of the ledger."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from g3dr.config import ModelConfig
from g3dr.errors import CheckpointError
from g3dr.networks import NetworkKind
from g3dr.training.layout import INDEX, MODEL
from g3dr.training.recorded_config import meaning
from orchestrator.experiment.settings import overlaid
from orchestrator.experiment.sources import parse_origin
from orchestrator.experiment.spec import AnyStage, Experiment, NetworkStage
from orchestrator.ledger import Ledger
from orchestrator.model_file import ModelFile
from orchestrator.runs import RunSpec
from orchestrator.store import Store, open_store

if TYPE_CHECKING:
    from g3dr.model import G3DR
    from g3dr.training.checkpoint import Checkpoint

_SHOWN_RUNS = 4


def locate(name: str, root: Store) -> tuple[Store, str]:
    """Returns the store and the path in it of the checkpoint called `name`.

    Raises:
        CheckpointError: There is no checkpoint.
    """
    for store, path in _places(name, root):
        if store.exists(f"{path}/{INDEX}" if path else INDEX):
            return store, path
    raise CheckpointError(
        f"{name}: no checkpoint here, neither below {root.uri} nor as a folder or URI (it would hold {INDEX} and {MODEL})"
    )


def _places(name: str, root: Store) -> list[tuple[Store, str]]:
    outside = (open_store(name), "")
    return [outside] if "://" in name or Path(name).is_absolute() else [(root, name.strip("/")), outside]


def find(name: str, root: Store) -> tuple[Store, str]:
    """Returns the store and the path in it of what a person means by `name`.

    Args:
        name: A checkpoint's folder, a run's folder (its newest checkpoint is taken), or `EXPERIMENT/STAGE` (its best run, or its only
            one). Each may be a path below `root`, a folder of this machine or a URI.
        root: Where results are kept.

    Raises:
        CheckpointError: It is none of these, or a stage of several runs of which none is the best.
    """
    for store, path in _places(name, root):
        newest = _newest(store, path)
        if newest is not None:
            return store, newest
    run = _run_of_stage(name, root)
    newest = _newest(root, f"runs/{run}") if run else None
    if newest is None:
        problem = f"run {run} of this stage has no checkpoint yet" if run else _unknown(name, root)
        raise CheckpointError(
            f"{name}: {problem} in {root.uri}; allowed: a checkpoint's or run's folder, or EXPERIMENT/STAGE as in quickstart/pretrain"
        )
    return root, newest


def _unknown(name: str, root: Store) -> str:
    problem = "no checkpoint, run or stage of this name"
    experiment = name.partition("/")[0]
    files = root.list(f"experiments/{experiment}/stages") if re.fullmatch(r"[\w-]+", experiment) else []
    stages = [file.rpartition("/")[2].removesuffix(".json") for file in files]
    return f"{problem} (stages of {experiment}: {', '.join(stages)})" if stages else problem


def _newest(store: Store, path: str) -> str | None:
    """Returns the path of the checkpoint itself, or of the newest one of a run."""
    prefix = f"{path}/" if path else ""
    if store.exists(f"{prefix}{INDEX}"):
        return path
    inside = [entry for entry in store.list(f"{prefix}checkpoints") if entry.endswith(f"/{INDEX}")]
    return max(inside).removesuffix(f"/{INDEX}") if inside else None


def _run_of_stage(name: str, root: Store) -> str | None:
    experiment, _, stage = name.partition("/")
    record = Ledger(root).stage(experiment, stage) if stage and "/" not in stage and "://" not in name else None
    if record is None:
        return None
    runs = {str(entry["run"]): str(entry["label"]) for entry in record["runs"]}
    if record["best"] is None and len(runs) > 1:
        shown = ", ".join(f"runs/{run} ({label})" for run, label in list(runs.items())[:_SHOWN_RUNS])
        more = f" and {len(runs) - _SHOWN_RUNS} more" if len(runs) > _SHOWN_RUNS else ""
        raise CheckpointError(f"{name}: {len(runs)} runs, and the stage names no best one; name one of them: {shown}{more}")
    return record["best"] or next(iter(runs), None)


def load_model(name: str, root: Store) -> "G3DR":
    """Returns the model that `name` means, with its weights, ready to be used (in evaluation mode, on the CPU).

    Args:
        name: As in `find`.
        root: Where results are kept.

    Raises:
        CheckpointError: There is none, it is damaged, or nothing tells its configuration.
    """
    return open_model(name, root)()


def open_model(name: str, root: Store) -> "Callable[[], G3DR]":
    """Finds a model and begins to read it; returns what waits for that and gives the model as `load_model` does.

    Between the two there is time to import torch, which takes as long as reading a large checkpoint.

    Raises:
        CheckpointError: There is none. What is wrong with the files is raised by the call of what is returned.
    """
    store, path = find(name, root)
    file = ModelFile(store, path)
    return lambda: _model_of(file, name, store.child(path))


def _model_of(file: ModelFile, name: str, folder: Store) -> "G3DR":
    from g3dr.model import G3DR  # noqa: PLC0415  (brings torch)
    from g3dr.training.checkpoint import load_model as load_state  # noqa: PLC0415

    checkpoint = file.checkpoint()
    _refuse_network(checkpoint, name)
    config = checkpoint.config or _config_of_run(folder)
    if config is None:
        raise CheckpointError(
            f"{name}: made by an older version, which did not record the model's configuration, and no run's spec.json tells it"
        )
    model = G3DR.blank(config)
    load_state(model, checkpoint.model, name, copy=False)
    return model.eval()


def read_found(name: str, root: Store, *, optimizer: bool = True) -> "Checkpoint":
    """Reads the checkpoint that a person means by `name`, with the configuration of its run if it records none itself.

    Args:
        name: As in `find`.
        root: Where results are kept.
        optimizer: Read the optimizer's state too.

    Raises:
        CheckpointError: There is none, or it is damaged.
    """
    store, path = find(name, root)
    checkpoint = Ledger(store).read_checkpoint(path, optimizer=optimizer)
    _refuse_network(checkpoint, name)
    return checkpoint if checkpoint.config else replace(checkpoint, config=_config_of_run(store.child(path)))


def _refuse_network(checkpoint: "Checkpoint", name: str) -> None:
    """The run of a network of the front end records G3DR's default settings too, which are nobody's."""
    if checkpoint.network is not None:
        raise CheckpointError(f"{name}: holds a network of kind {checkpoint.network.get('kind')}, not a G3DR model")


def _config_of_run(checkpoint: Store) -> ModelConfig | None:
    path, _, options = checkpoint.uri.partition("?")
    run = open_store((path.rpartition("/checkpoints/")[0] or path) + (f"?{options}" if options else ""))
    try:
        return RunSpec.from_json(json.loads(run.read_bytes("spec.json"))).model
    except (FileNotFoundError, KeyError, ValueError):
        return None


def read_initial(name: str, root: Store) -> "Checkpoint":
    """Reads the checkpoint called `name`, without the optimizer's state.

    Raises:
        CheckpointError: It is missing or damaged.
    """
    store, path = locate(name, root)
    return Ledger(store).read_checkpoint(path, optimizer=False)


def outside_identities(experiment: Experiment, root: Store) -> dict[str, str]:
    """Returns the SHA-256 of the model of every checkpoint that an experiment names directly.

    Raises:
        CheckpointError: One is not there.
    """
    origins = [parse_origin(source) for stage in experiment.stages for source in sources_of(stage)]
    return {origin.name: _identity(origin.name, root) for origin in origins if origin.kind == "checkpoint"}


def sources_of(stage: AnyStage) -> list[str]:
    """Returns what a stage builds on: where it starts from, and the autoencoder of a denoiser."""
    named = (stage.source, stage.autoencoder if isinstance(stage, NetworkStage) else None)
    return [source for source in named if source]


def check_outside(experiment: Experiment, root: Store) -> None:
    """Makes sure that every checkpoint that an experiment names directly fits the stage that starts from it.

    Raises:
        CheckpointError: One is missing, damaged, of another size, or was trained with weights that mean something else.
    """
    for stage in experiment.stages:
        if isinstance(stage, NetworkStage):
            _check_networks(stage, root)
            continue
        origin = parse_origin(stage.source) if stage.source else None
        if origin is not None and origin.kind == "checkpoint":
            settings = overlaid(experiment.base, {"model": getattr(stage, "model", {})}, f"stages.{stage.name}")
            _check_fit(settings.model, origin.name, root)


def _check_networks(stage: NetworkStage, root: Store) -> None:
    from orchestrator.network_weights import open_network  # noqa: PLC0415  (which finds checkpoints with this module)

    wanted: tuple[tuple[str | None, NetworkKind], ...] = ((stage.source, stage.network.kind), (stage.autoencoder, "autoencoder"))
    for source, kind in wanted:
        origin = parse_origin(source) if source else None
        if origin is not None and origin.kind == "checkpoint":
            open_network(origin.name, root, kind)


def _check_fit(config: ModelConfig, name: str, root: Store) -> None:
    from g3dr.model import CONDITIONING_PREFIXES, G3DR  # noqa: PLC0415  (brings torch)
    from g3dr.training.checkpoint import load_model as load_state  # noqa: PLC0415

    checkpoint = read_initial(name, root)
    _refuse_network(checkpoint, name)
    load_state(G3DR.blank(config), checkpoint.model, name, may_lack=CONDITIONING_PREFIXES)
    if checkpoint.config is not None:
        _check_meaning(config, checkpoint.config, name)


def _check_meaning(config: ModelConfig, trained: ModelConfig, name: str) -> None:
    """The same weights in another plane layout would load without a word and render something else."""
    before = {path: value for path, value in meaning(trained).items() if not path.startswith("model.conditioning.")}
    path = next((path for path, value in before.items() if meaning(config)[path] != value), None)
    if path is not None:
        raise CheckpointError(
            f"{name}: trained with {path} {before[path]}, the stage has {meaning(config)[path]}; set {path}={before[path]}"
        )


def _identity(name: str, root: Store) -> str:
    store, path = locate(name, root)
    index = json.loads(store.read_bytes(f"{path}/{INDEX}" if path else INDEX))
    return str(index["sha256"][MODEL])
