"""The pictures of an evaluation, as the report shows them."""

import json
from typing import Any

from orchestrator.store import Store

_OBJECTS = 4


def sheet_of(store: Store, run: str, evaluation: str) -> dict[str, Any]:
    """Returns the first objects of an evaluation: labels, and for each object its name and its pictures as data URIs.

    Raises:
        FileNotFoundError: It has no pictures, or none yet.
    """
    # Imported here: torch, for the film strips beside it, and matplotlib, for depth in colour, take seconds; lists need neither.
    from safetensors.numpy import load  # noqa: PLC0415

    from orchestrator.report.pictures import evaluation_sheet  # noqa: PLC0415
    from orchestrator.report.records import Pictures  # noqa: PLC0415

    data = store.read_bytes(f"runs/{run}/evaluations/{evaluation}.safetensors")
    words = _words(data)
    sheet = evaluation_sheet(Pictures(words.get("keys", []), words.get("species", []), load(data)), "", _OBJECTS)
    rows = [
        {
            "name": name,
            "pictures": [{"source": one.source, "description": one.description, "width": one.width, "height": one.height} for one in shown],
        }
        for name, shown in sheet.rows
    ]
    return {"labels": list(sheet.labels), "rows": rows}


def _words(data: bytes) -> dict[str, Any]:
    """Returns the lists of words in the header of a safetensors file, which the library reads from files on a disk only."""
    length = int.from_bytes(data[:8], "little")
    return {name: json.loads(text) for name, text in json.loads(data[8 : 8 + length]).get("__metadata__", {}).items()}
