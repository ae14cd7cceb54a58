"""The checkpoint that a person wants measured, and the run in the ledger that its record belongs to."""

import json
import re
from dataclasses import dataclass

from g3dr.errors import CheckpointError
from g3dr.training.layout import INDEX, MODEL
from orchestrator.checkpoints import find
from orchestrator.content_ids import content_id
from orchestrator.finding import UnknownNameError, find_run
from orchestrator.ledger import Ledger
from orchestrator.store import Store

_OF_RUN = re.compile(r"runs/([0-9a-f]{16})/checkpoints/(\d{8})")


@dataclass(frozen=True)
class Subject:
    """A checkpoint to be measured.

    Attributes:
        name: What the person called it.
        uri: Its folder.
        run: Id under which the ledger keeps its records: the run that it is the last checkpoint of, else one made from its content.
        step: Steps that it holds.
        sha256: Of its model.
        is_run: Whether it is the last checkpoint of a run of this root.
    """

    name: str
    uri: str
    run: str
    step: int
    sha256: str
    is_run: bool


def find_subject(name: str, root: Store) -> Subject:
    """Returns what a person means.

    Args:
        name: The beginning of a run's id; `EXPERIMENT/STAGE` or `EXPERIMENT/STAGE/LABEL`; the folder of a run or a checkpoint below the
            root, on this machine or as a URI; or the model.safetensors in one.
        root: Where results are kept.

    Raises:
        CheckpointError: There is no such checkpoint, or its index cannot be read.
    """
    store, path = find(_folder(name, root), root)
    folder = store.child(path)
    try:
        index = json.loads(folder.read_bytes(INDEX))
        sha256, step = str(index["sha256"][MODEL]), int(index["step"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder.uri}/{INDEX}: damaged, so that nothing tells what the checkpoint is ({error})") from error
    run = _finished_run(folder, root)
    return Subject(name, folder.uri, run or content_id(["checkpoint", sha256]), step, sha256, run is not None)


def _folder(name: str, root: Store) -> str:
    """Returns a name that `find` knows."""
    if name.endswith(f"/{MODEL}"):
        return name.removesuffix(f"/{MODEL}")
    if re.fullmatch(r"[0-9a-f]{4,16}", name):
        return f"runs/{_run(name, root)}"
    if name.count("/") > 1 and "://" not in name and not name.startswith(("/", ".", "runs/", "~")):
        try:
            return f"runs/{find_run(root, name).run}"
        except UnknownNameError:
            return name  # a folder of this machine, perhaps
    return name


def _run(name: str, root: Store) -> str:
    try:
        return find_run(root, name).run
    except UnknownNameError as error:
        raise CheckpointError(str(error)) from error


def _finished_run(folder: Store, root: Store) -> str | None:
    """Returns the run of this root whose last checkpoint lies in `folder`: any other's numbers are not those of a run."""
    place, prefix = folder.uri.partition("?")[0], root.uri.partition("?")[0].rstrip("/")
    found = _OF_RUN.fullmatch(place.removeprefix(f"{prefix}/"))
    spec = Ledger(root).spec(found[1]) if found else None
    if found is None or spec is None:
        return None
    return found[1] if int(spec["training"]["steps"]) == int(found[2]) else None
