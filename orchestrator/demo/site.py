"""What each address of the demo answers, free of HTTP's own details."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from g3dr.errors import G3drError
from orchestrator.demo.examples import example, example_names
from orchestrator.demo.line import Line, Result, Standing
from orchestrator.demo.models import Model
from orchestrator.demo.studio import Photo
from orchestrator.viewing.site import Answer, json_answer

MOST_BYTES = 48 * 2**20
"""Of a photograph: a JPEG of any camera is smaller."""

# The page loads nothing from elsewhere; the object and the film reach their viewers as data that the page has fetched.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; connect-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".glb": "model/gltf-binary",
    ".ply": "application/octet-stream",
}
_NOTHING = "there is nothing at this address"
_GONE = "this reconstruction is no longer kept; choose the photograph again"


@dataclass(frozen=True)
class Offer:
    """What the page offers.

    Attributes:
        models: Returns those to choose from, the first one chosen.
        estimator: Where depth comes from, in words.
        background: Who finds the object, in words; None where nobody can.
    """

    models: Callable[[], Sequence[Model]]
    estimator: str
    background: str | None = None


class DemoSite:
    """All addresses.

    Args:
        offer: What there is to choose from.
        line: Where photographs wait.
    """

    def __init__(self, offer: Offer, line: Line[Photo]) -> None:
        self._offer, self._line = offer, line

    def answer(self, address: str) -> Answer:
        """Returns what an address shows.

        Args:
            address: Path and query as they came.
        """
        try:
            return self._find(_segments(address)) or refusal(_NOTHING, HTTPStatus.NOT_FOUND)
        except G3drError as error:  # the root of the models is away
            return refusal(str(error), HTTPStatus.SERVICE_UNAVAILABLE)

    def _find(self, path: list[str]) -> Answer | None:
        match path:
            case []:
                return _static("index.html")
            case ["static", name]:
                return _static(name)
            case ["examples", name]:
                return _example(name)
            case ["api", *rest]:
                return self._data(rest)
        return None

    def _data(self, path: list[str]) -> Answer | None:
        match path:
            case ["offer"]:
                return self._offered()
            case ["photographs", job]:
                return self._standing(job)
            case ["photographs", job, name]:
                return self._file(job, name)
        return None

    def post(self, address: str, body: bytes) -> Answer:
        """Takes a photograph in.

        Args:
            address: `/api/photographs?name=FILE&model=MODEL`, with `&alone=yes` to cut the object out.
            body: The file's content.
        """
        if _segments(address) != ["api", "photographs"]:
            return refusal(_NOTHING, HTTPStatus.NOT_FOUND)
        query = {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}
        if not body:
            return refusal("this file is empty; a photograph is a JPEG, PNG or WebP file", HTTPStatus.BAD_REQUEST)
        try:
            return self._add(Photo(query.get("name", ""), body, query.get("model", ""), query.get("alone") == "yes"))
        except G3drError as error:
            return refusal(str(error), HTTPStatus.SERVICE_UNAVAILABLE)

    def _add(self, photo: Photo) -> Answer:
        # Only what the page offers: a name could be any folder of this machine.
        if photo.model not in [model.name for model in self._offer.models()]:
            return refusal(f"there is no model {photo.model!r} to choose here; load the page again", HTTPStatus.BAD_REQUEST)
        return json_answer({"photograph": self._line.add(photo)}, HTTPStatus.ACCEPTED)

    def delete(self, address: str) -> Answer:
        """Withdraws a photograph; the same once it is done, or was never there."""
        match _segments(address):
            case ["api", "photographs", job]:
                self._line.withdraw(job)
                return json_answer({})
        return refusal(_NOTHING, HTTPStatus.NOT_FOUND)

    def _offered(self) -> Answer:
        return json_answer(
            {
                "models": [asdict(model) for model in self._offer.models()],
                "estimator": self._offer.estimator,
                "background": self._offer.background,
                "examples": example_names(),
                "most_bytes": MOST_BYTES,
            }
        )

    def _standing(self, job: str) -> Answer:
        standing = self._line.standing(job)
        return refusal(_GONE, HTTPStatus.NOT_FOUND) if standing is None else json_answer(_told(standing))

    def _file(self, job: str, name: str) -> Answer | None:
        standing = self._line.standing(job)
        if standing is None or standing.result is None:
            return refusal(_GONE, HTTPStatus.NOT_FOUND)
        return _answer(name, standing.result.files[name]) if name in standing.result.files else None


def refusal(sentence: str, status: int) -> Answer:
    """Returns why something cannot be done."""
    return json_answer({"error": sentence}, status)


def _told(standing: Standing) -> dict[str, Any]:
    words = {"state": standing.state, "before": standing.before, "doing": standing.doing, "part": standing.part, "error": standing.error}
    return words if standing.result is None else {**words, **_result(standing.result)}


def _result(result: Result) -> Mapping[str, Any]:
    return {"facts": result.facts, "files": {name: len(data) for name, data in result.files.items()}}


def _answer(name: str, body: bytes) -> Answer:
    return Answer(body, _MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream"), policy=POLICY)


def _example(file: str) -> Answer | None:
    picture = example(file.removesuffix(".png"))
    return None if picture is None else _answer(file, picture)


def _segments(address: str) -> list[str]:
    return [unquote(part) for part in urlsplit(address).path.split("/") if part]


@cache
def _static(name: str) -> Answer | None:
    reports, own = files("orchestrator.report"), files("orchestrator.demo") / "templates"
    places = {
        "index.html": (own / "index.html",),
        "demo.js": (reports / "templates" / "turning.js", own / "demo.js"),
        "viewer.js": (reports / "vendor" / "viewer.min.js",),
        "demo.css": (reports / "templates" / "style.css", own / "demo.css"),
    }
    if name not in places:
        return None
    return _answer(name, b"\n".join(place.read_bytes() for place in places[name]))
