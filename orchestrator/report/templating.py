"""Fills the report's templates; every page carries its style and its scripts within it."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.report import numbers, tables

_STYLES = ("style.css", "tables.css", "pictures.css", "charts.css", "study.css", "print.css")
_SCRIPTS = ("tables.js", "films.js", "axes.js", "charts.js", "turning.js", "models.js")
_VIEWER = "vendor/viewer.min.js"


def render(template: str, **shown: Any) -> str:
    """Returns the page that a template makes of what is to be shown; text is escaped, an unknown name is an error."""
    return _environment().get_template(template).render({"models": (), **shown})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = ("\n".join(_asset(f"templates/{name}") for name in names) for names in (_STYLES, _SCRIPTS))
    # Our own files and a library's, not anything that came from outside.
    assets = {name: Markup(text) for name, text in (("style", style), ("script", script), ("viewer", _asset(_VIEWER)))}  # noqa: S704
    environment.globals.update(numbers=numbers, tables=tables, **assets)
    return environment


def _asset(path: str) -> str:
    return (files("orchestrator.report") / path).read_text(encoding="utf-8")
