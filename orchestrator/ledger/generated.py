"""Sets of pictures that a denoiser drew and that were measured (`g3dr generate --evaluate`).

runs/<run>/generated/<id>.json  what was asked for, who drew, the numbers; written last
runs/<run>/generated/<id>.png   contact sheet
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.ledger.records import read_json, to_json
from orchestrator.store import Store

_RECORD = ".json"


def folder(run: str) -> str:
    """Returns where the generated sets of a run lie, relative to the root."""
    return f"runs/{run}/generated"


def sheet_path(run: str, generated: str) -> str:
    """Returns where the contact sheet of a set lies, relative to the root."""
    return f"{folder(run)}/{generated}.png"


def write(store: Store, run: str, generated: str, record: Mapping[str, Any], sheet: bytes) -> None:
    """Writes a set's sheet and, last, its record; one of the same id is replaced."""
    store.write_bytes(sheet_path(run, generated), sheet)
    store.write_bytes(f"{folder(run)}/{generated}{_RECORD}", to_json(record))


def read_all(store: Store, run: str) -> dict[str, dict[str, Any]]:
    """Returns the records of all sets of a run by their id, sorted by it."""
    found = {}
    for path in sorted(path for path in store.list(folder(run)) if path.endswith(_RECORD)):
        record = read_json(store, path)
        if record:
            found[path.rpartition("/")[2].removesuffix(_RECORD)] = record
    return found
