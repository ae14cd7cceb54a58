"""Reads experiment files: YAML, `extends:`, `--set`, and every problem at once.

YAML as people expect it since version 1.2: `5e-5` is a number, `no` is a word, and a key that stands twice is an error.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from g3dr.errors import ConfigError
from orchestrator.merging import Document, merge, set_path
from orchestrator.problems import ExperimentError, collect
from orchestrator.spec import Experiment, parse_experiment


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  (yaml's signature)
        """Returns a mapping, each of whose keys stands once; YAML itself would silently take the last."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                raise ConfigError(f"line {line}", key, "plain words as keys")
            if key in seen:
                raise ConfigError(str(key), f"line {seen[key]} and line {line}", "each key once")
            seen[key] = line
        return super().construct_mapping(node, deep=deep)


def _construct_int(_: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(node.value.replace("_", ""))


def _construct_float(_: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(node.value.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))


_Loader.yaml_implicit_resolvers = {}  # without those of YAML 1.1
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9][0-9_]*$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$",
        "-+0123456789.",
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def parse_yaml(text: str, source: str) -> Any:
    """Returns what `text` holds.

    Args:
        text: YAML.
        source: Where it is from, for messages.

    Raises:
        ExperimentError: It is not YAML, or a key stands twice in a mapping.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except ConfigError as error:
        raise ExperimentError(source, [error]) from None
    except yaml.YAMLError as error:
        raise ExperimentError(source, [_syntax_problem(error)]) from None
    except RecursionError:
        raise ExperimentError(source, [ConfigError("the file", "deeply nested values", "an experiment")]) from None


def _syntax_problem(error: yaml.YAMLError) -> ConfigError:
    mark, said = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "unreadable characters"
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
    return ConfigError(where, str(said), "YAML")


def read_document(path: Path, children: tuple[Path, ...] = ()) -> Document:
    """Reads an experiment file with all that it extends, as plain mappings and lists.

    Raises:
        ExperimentError: A file is missing, unreadable, not a mapping, or extends itself.
    """
    path = path.resolve()
    if path in children:
        raise ExperimentError(str(path), [ConfigError("extends", path.name, "a file that does not extend this one in turn")])
    document = parse_yaml(_read_text(path), path.name)
    if not isinstance(document, Mapping) or not all(isinstance(key, str) for key in document):
        raise ExperimentError(path.name, [ConfigError("the file", type(document).__name__, "a mapping with name, data and stages")])
    parent = document.get("extends")
    own = {key: value for key, value in document.items() if key != "extends"}
    if parent is None:
        return own
    if not isinstance(parent, str):
        raise ExperimentError(path.name, [ConfigError("extends", parent, "one path, relative to this file")])
    return merge(read_document(path.parent / parent, (*children, path)), own)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ExperimentError(path.name, [ConfigError("the file", str(path), "a readable YAML file", str(reason))]) from None


def apply_settings(document: Document, settings: Iterable[str]) -> Document:
    """Returns `document` with each `path=value` of `settings` set; values are YAML, stages are addressed by name.

    Raises:
        ExperimentError: One has no `=`, or its path leads nowhere.
    """
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise ExperimentError("--set", [ConfigError(setting, setting, "path=value, such as training.steps=100")])
        try:
            document = set_path(document, path.strip(), parse_yaml(text, f"--set {path}"))
        except ConfigError as error:
            raise ExperimentError("--set", [error]) from None
    return document


def check_document(document: Document, source: str) -> Experiment:
    """Returns the experiment that a document means.

    Raises:
        ExperimentError: With every problem.
    """
    try:
        return parse_experiment(document)
    except ValidationError as error:
        raise ExperimentError(source, collect(error, document)) from None


def load_experiment(path: str | Path, settings: Iterable[str] = (), root: str | None = None) -> Experiment:
    """Reads and checks an experiment file.

    Args:
        path: The file.
        settings: `path=value` texts that replace values of the file.
        root: Replaces the file's root.

    Raises:
        ExperimentError: With every problem, one line each.
    """
    document = apply_settings(read_document(Path(path)), settings)
    if root is not None:
        document = {**document, "root": root}
    return check_document(document, Path(path).name)
