"""What a ledger holds, and how two ledgers differ. Times are left out: nothing else may differ."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from orchestrator.store import Store

_TIMES = ("seconds", "attempts", "started", "created", "git")


@dataclass(frozen=True)
class Outcome:
    """The results in a ledger.

    Attributes:
        states: State and step of each run.
        metrics: Rows of each run, in the order of the files.
        checkpoints: SHA-256 of the files of each run's last checkpoint, tensors of model and optimizer.
        evaluations: Records of each run.
        pictures: Bytes of the pictures of each evaluation.
        stages: Runs and best run of each stage.
    """

    states: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    checkpoints: dict[str, Any] = field(default_factory=dict)
    evaluations: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Any] = field(default_factory=dict)


def without_times(value: Any) -> Any:
    """Leaves out the fields that two equal results may differ in."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if not any(word in key for word in _TIMES)}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def read_outcome(store: Store) -> Outcome:
    """Reads the results below the root `store`."""
    found = Outcome()
    for path in store.list("runs"):
        run, _, file = path.removeprefix("runs/").partition("/")
        _add(found, run, file, store, path)
    for path in store.list("experiments"):
        if "/stages/" in path:
            found.stages[path] = without_times(json.loads(store.read_bytes(path)))
    return found


def _add(found: Outcome, run: str, file: str, store: Store, path: str) -> None:
    if file == "status.json":
        status = json.loads(store.read_bytes(path))
        found.states[run] = (status["state"], status["step"])
    elif file.startswith("metrics/"):
        rows = [without_times(json.loads(line)) for line in store.read_bytes(path).decode().splitlines()]
        found.metrics[run] = [*found.metrics.get(run, []), *rows]
    elif file.startswith("checkpoints/") and file.endswith("/checkpoint.json"):
        index = json.loads(store.read_bytes(path))  # paths are sorted: the last one stays
        found.checkpoints[run] = {"step": index["step"], **index["sha256"]}
    elif file.startswith("evaluations/") and file.endswith(".json"):
        found.evaluations[f"{run}/{file}"] = without_times(json.loads(store.read_bytes(path)))
    elif file.startswith("evaluations/"):
        data = store.read_bytes(path)
        found.pictures[f"{run}/{file}"] = _content(data) if file.endswith(".safetensors") else data


def _content(file: bytes) -> tuple[Any, bytes]:
    """Header and tensors of a safetensors file; the library writes the entries of its metadata in a random order."""
    end = 8 + int.from_bytes(file[:8], "little")
    return json.loads(file[8:end]), file[end:]


def differences(one: Outcome, other: Outcome) -> list[str]:
    """Returns one line for each thing in which two ledgers differ."""
    found = []
    for name in Outcome.__dataclass_fields__:
        left, right = getattr(one, name), getattr(other, name)
        for key in sorted(left.keys() | right.keys()):
            if key not in left or key not in right:
                found.append(f"{name}: {key} only in the {'other' if key not in left else 'first'}")
            elif left[key] != right[key]:
                found.append(f"{name}: {key} differs")
    return found


def held_leases(store: Store) -> list[str]:
    """Returns the leases that nobody gave back: of each run's newest generation."""
    newest = {path.split("/")[1]: path for path in store.list("runs") if "/lease/" in path}
    return [path for path in newest.values() if not json.loads(store.read_bytes(path))["released"]]


def damaged(store: Store) -> list[str]:
    """Returns the checkpoints whose files do not have the checksums that their index names."""
    found = []
    for path in store.list("runs"):
        if path.endswith("/checkpoint.json"):
            folder = path.removesuffix("/checkpoint.json")
            for name, sha256 in json.loads(store.read_bytes(path))["sha256"].items():
                if hashlib.sha256(store.read_bytes(f"{folder}/{name}")).hexdigest() != sha256:
                    found.append(f"{folder}/{name}")
    return found
