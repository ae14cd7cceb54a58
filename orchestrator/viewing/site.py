"""What each address shows, free of HTTP's own details."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from g3dr.errors import G3drError
from orchestrator.finding import UnknownNameError
from orchestrator.store import Store, StoreError
from orchestrator.viewing.curves import Curves
from orchestrator.viewing.exhibits import sheet_of
from orchestrator.viewing.recent import Recent
from orchestrator.viewing.state import States

logger = logging.getLogger(__name__)

# Our own pages load nothing from elsewhere and run nothing that stands in the page; pictures come as data.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A report is one file that holds all it needs, its script too; it may ask nobody for anything.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; "
    "font-src data:; connect-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".glb": "model/gltf-binary",
}
_FRESH = "no-store"
_SHARED_STYLES = ("style", "tables", "pictures", "charts")
_MOST_SHEETS, _SHEET_SECONDS = 24, 3600.0


@dataclass(frozen=True)
class Answer:
    """What goes back to the browser.

    Attributes:
        body: The content.
        media_type: What it is.
        status: HTTP's number.
        caching: What the browser may keep.
        policy: What the page may load and run.
    """

    body: bytes
    media_type: str
    status: int = HTTPStatus.OK
    caching: str = _FRESH
    policy: str = PAGE_POLICY


def json_answer(value: Any, status: int = HTTPStatus.OK, caching: str = _FRESH) -> Answer:
    """Returns a value as JSON; what is no finite number is null."""
    return Answer(json.dumps(value, allow_nan=False).encode(), "application/json", status, caching)


class Site:
    """All pages of a store.

    Args:
        store: The root.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._sheets, recent = store, Recent(most=_MOST_SHEETS), Recent()
        self._states = States(store, recent)
        self._curves = Curves(store, recent)

    def answer(self, address: str) -> Answer:
        """Returns what an address shows; what goes wrong becomes an answer too.

        Args:
            address: Path and query as they came.
        """
        parts = urlsplit(address)
        path = _segments(parts.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            found = None if path is None else self._find(path, query)
        except (UnknownNameError, FileNotFoundError) as error:
            return json_answer({"error": str(error)}, HTTPStatus.NOT_FOUND)
        except StoreError as error:
            return json_answer({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
        except (G3drError, OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("%s cannot be shown: %s: %s", parts.path, type(error).__name__, error)
            return json_answer({"error": f"what is kept there cannot be read ({error})"}, HTTPStatus.INTERNAL_SERVER_ERROR)
        return found or json_answer({"error": "there is nothing at this address"}, HTTPStatus.NOT_FOUND)

    def _find(self, path: list[str], query: Mapping[str, str]) -> Answer | None:
        match path:
            case []:
                return _page()
            case ["experiments", name]:
                self._states.check(name)
                return _page()
            case ["static", name]:
                return _static(name)
            case ["reports", name, *rest]:
                return self._report("/".join(["reports", name, *(rest or ["index.html"])]))
            case ["api", *rest]:
                return self._data(rest, query)
        return None

    def _data(self, path: list[str], query: Mapping[str, str]) -> Answer | None:
        match path:
            case ["experiments"]:
                return json_answer(self._states.all())
            case ["experiments", name]:
                return json_answer(self._states.one(name))
            case ["experiments", name, "curves"]:
                return json_answer(self._curves.of(self._states.one(name), query.get("stage", "")))
            case ["pictures", run, evaluation]:
                return json_answer(self._sheets.get((run, evaluation), lambda: sheet_of(self._store, run, evaluation), _SHEET_SECONDS))
        return None

    def _report(self, path: str) -> Answer | None:
        media_type = _MEDIA_TYPES.get(PurePosixPath(path).suffix)
        return None if media_type is None else Answer(self._store.read_bytes(path), media_type, policy=REPORT_POLICY)


def _segments(path: str) -> list[str] | None:
    """Returns the parts of a path; None for one that leads anywhere else than down, or to what is hidden."""
    parts = [unquote(part) for part in path.split("/") if part]
    good = all(part.isprintable() and not part.startswith(".") and "/" not in part and "\\" not in part for part in parts)
    return parts if good else None


def _page() -> Answer:
    return Answer(_asset("index.html"), _MEDIA_TYPES[".html"])


def _static(name: str) -> Answer | None:
    makers: dict[str, Callable[[], bytes]] = {"view.js": lambda: _asset("view.js"), "view.css": _style}
    maker = makers.get(name)
    return None if maker is None else Answer(maker(), _MEDIA_TYPES[PurePosixPath(name).suffix], caching="no-cache")


@cache
def _asset(name: str) -> bytes:
    return (files("orchestrator.viewing") / "templates" / name).read_bytes()


@cache
def _style() -> bytes:
    """The reports' style sheets, and what only these pages need."""
    shared = files("orchestrator.report") / "templates"
    return b"\n".join([*((shared / f"{name}.css").read_bytes() for name in _SHARED_STYLES), _asset("view.css")])
