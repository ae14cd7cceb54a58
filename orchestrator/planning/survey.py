"""What the stages in a ledger say about the runs of a plan: who else asked for them, and how long stages took to begin."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.ledger import Ledger
from orchestrator.ledger.reading import read_all
from orchestrator.planning.capacity import Executor

StageRecord = Mapping[str, Any]


@dataclass(frozen=True)
class Survey:
    """The records of all stages in a ledger.

    Attributes:
        records: By `(experiment, stage)`.
    """

    records: Mapping[tuple[str, str], StageRecord]

    def askers(self, without: str) -> dict[str, tuple[str, ...]]:
        """Returns for each run the stages that asked for it, as `experiment/stage`.

        Args:
            without: The experiment that is being planned, whose own stages do not count.
        """
        found: dict[str, list[str]] = {}
        for (experiment, stage), record in self.records.items():
            for entry in record.get("runs", []) if experiment != without else []:
                found.setdefault(str(entry["run"]), []).append(f"{experiment}/{stage}")
        return {run: tuple(dict.fromkeys(stages)) for run, stages in found.items()}

    def starts(self, ledger: Ledger, experiment: str, executors: Mapping[str, Executor]) -> dict[str, list[float]]:
        """Returns the seconds before the first run of a stage began, by executor.

        A stage's record says it (`start_seconds`, `executor`). Of records that do not, those of trainings with one run tell it too: what is
        left of the stage without the run's steps.

        Args:
            ledger: Has the seconds of runs.
            experiment: Its stages' executors are known without their records.
            executors: They, by stage.
        """
        found: dict[str, list[float]] = {}
        for (name, stage), record in self.records.items():
            executor = record.get("executor") or (executors.get(stage) if name == experiment else None)
            seconds = record.get("start_seconds", _left_over(ledger, record))
            if executor and seconds is not None:
                found.setdefault(str(executor), []).append(float(seconds))
        return found


def _left_over(ledger: Ledger, record: StageRecord) -> float | None:
    runs: Sequence[Mapping[str, Any]] = record.get("runs", [])
    if record.get("kind") != "train" or len(runs) != 1 or not record.get("seconds"):
        return None
    status = ledger.status(str(runs[0]["run"]))
    return max(0.0, float(record["seconds"]) - status.seconds) if status and status.state == "finished" else None


def survey(ledger: Ledger) -> Survey:
    """Reads the records of all stages; one listing and one small file for each."""
    paths = [path for path in ledger.store.list("experiments") if _is_record(path.split("/"))]
    records = read_all(ledger.store, paths, lambda path: _read(ledger, path))
    return Survey({(path.split("/")[1], path.split("/")[3].removesuffix(".json")): record for path, record in records.items() if record})


def _is_record(parts: Collection[str]) -> bool:
    names = list(parts)
    return len(names) == 4 and names[2] == "stages" and names[3].endswith(".json")


def _read(ledger: Ledger, path: str) -> StageRecord | None:
    try:
        record = json.loads(ledger.store.read_bytes(path))
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None
