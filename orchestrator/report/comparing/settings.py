"""In what the configurations of experiments differ, as dotted paths."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.report.comparing.sides import Side

# Where and when it was run is lineage; these say nothing about what was asked for.
_NOT_SETTINGS = ("name", "description", "file", "root", "git", "datasets")
ABSENT = ""


@dataclass(frozen=True)
class Setting:
    """A setting that is not the same everywhere: its dotted path, and its value in each experiment, `ABSENT` where it has none."""

    path: str
    values: Sequence[str]


def differing_settings(sides: Sequence[Side]) -> list[Setting]:
    """Returns what differs, sorted by path. Stages are told apart by their names, whatever their order."""
    flat = [dict(_flat("", _asked_for(side))) for side in sides]
    paths = sorted(set().union(*flat))
    rows = [Setting(path, [known.get(path, ABSENT) for known in flat]) for path in paths]
    return [row for row in rows if len(set(row.values)) > 1]


def _asked_for(side: Side) -> dict[str, Any]:
    return {name: value for name, value in side.study.experiment.items() if name not in _NOT_SETTINGS}


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        value = {item["name"]: {key: part for key, part in item.items() if key != "name"} for item in value}
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), part)
    elif value is not None:
        yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value == {} else f"{value:g}" if isinstance(value, float) else str(value)
