"""What is kept of a generated set as a whole: what was asked for, who drew it, and what it measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.content_ids import content_id
from orchestrator.generating.drawing import Drawn
from orchestrator.generating.objects import Written, grid, object_name
from orchestrator.ledger import generated
from orchestrator.store import Store

_SHEET_ROWS = 8


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    Attributes:
        subjects: Names of classes, or one text; empty names for a model that knows none.
        is_text: Which of both.
        negative: What guidance leads away from.
        count: Pictures of each subject.
        candidates: Pictures that were drawn for each of them.
        seed: Of the first candidate of each subject.
    """

    subjects: Sequence[str]
    is_text: bool
    negative: str
    count: int
    candidates: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return {**asdict(self), "subjects": list(self.subjects)}


@dataclass(frozen=True)
class SetRecord:
    """A generated set.

    Attributes:
        asked: What was asked for.
        drawn: The pictures that were kept.
        written: What became of them, and what the record of each tells about all: who drew and how, who made objects.
        evaluation: See `measure_set`; None where nothing was compared.
    """

    asked: Asked
    drawn: Sequence[Drawn]
    written: Written
    evaluation: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of what determines the pictures and their figures."""
        compared = self.evaluation or {}
        return content_id([self._origin(), compared.get("version"), compared.get("extractor"), compared.get("images")])

    def to_json(self) -> dict[str, Any]:
        """Returns the record."""
        lost = {one.name: str(one.error) for one in self.written.lost}
        return {
            "id": self.id,
            **self._origin(),
            "pictures": [_picture(one, lost) for one in self.drawn],
            "evaluation": self.evaluation,
        }

    def _origin(self) -> dict[str, Any]:
        """Returns what was asked of whom; places, and how many were drawn at once, change no picture."""
        about = {name: value for name, value in self.written.about.items() if name != "root"}
        settings = {name: value for name, value in about.get("settings", {}).items() if name != "at_once"}
        return {**about, "settings": settings, "asked": self.asked.to_json(), "judge": next((one.judge for one in self.drawn), None)}


def _picture(one: Drawn, lost: Mapping[str, str]) -> dict[str, Any]:
    name = object_name(one)
    return {"name": name, "subject": one.subject, "seed": one.seed, "error": lost.get(name)}


def keep(record: SetRecord, run: str, root: Store) -> None:
    """Keeps a measured set in the ledger, below the run of the denoiser that drew it."""
    generated.write(root, run, record.id, record.to_json(), grid(record.drawn, _SHEET_ROWS))
