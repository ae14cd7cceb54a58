"""Reads experiment files: YAML, `extends:`, `--set`, and every problem at once.

YAML as people expect it since version 1.2: `5e-5` is a number, `no` is a word, and a key that stands twice is an error.
"""

import re
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from g3dr.errors import ConfigError
from orchestrator.experiment.merging import Document, merge, remove_path, set_path
from orchestrator.experiment.problems import ExperimentError, collect
from orchestrator.experiment.spec import Experiment, parse_experiment

_MERGE = "tag:yaml.org,2002:merge"
"""The key `<<`, which lays an anchored mapping under this one."""

STANDARD_INPUT = "-"
"""The name of the file that is read from standard input."""


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  (yaml's signature)
        """Returns a mapping, each of whose keys stands once; YAML itself would silently take the last."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
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
    (_MERGE, r"^<<$", "<"),
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
    if str(path) == STANDARD_INPUT:
        return extended(parse_yaml(_decoded(sys.stdin.buffer.read, path), "standard input"), Path.cwd(), "standard input")
    path = path.resolve()
    if path in children:
        raise ExperimentError(str(path), [ConfigError("extends", path.name, "a file that does not extend this one in turn")])
    by = f"extended by {children[-1].name}" if children else ""
    document = parse_yaml(_decoded(path.read_bytes, path, by), path.name)
    return extended(document, path.parent, path.name, (*children, path))


def extended(document: Any, folder: Path, source: str, children: tuple[Path, ...] = ()) -> Document:
    """Returns a document laid over all that it extends.

    Args:
        document: As it stands in a file.
        folder: What the path after `extends` is relative to.
        source: Where it is from, for messages.
        children: Files that extend it in turn.

    Raises:
        ExperimentError: It is not a mapping, or what it extends cannot be read.
    """
    if not isinstance(document, Mapping) or not all(isinstance(key, str) for key in document):
        raise ExperimentError(source, [ConfigError("the file", type(document).__name__, "a mapping with name, data and stages")])
    parent = document.get("extends")
    own = {key: value for key, value in document.items() if key != "extends"}
    if parent is None:
        return own
    if not isinstance(parent, str):
        raise ExperimentError(source, [ConfigError("extends", parent, "one path, relative to this file")])
    return merge(read_document(folder / parent, children), own)


def _decoded(read: Callable[[], bytes], path: Path, hint: str = "") -> str:
    try:
        return read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        hint = ", ".join(filter(None, (str(reason), hint)))
        raise ExperimentError(path.name, [ConfigError("the file", str(path), "a readable YAML file", hint)]) from None


def apply_settings(document: Document, settings: Iterable[str]) -> Document:
    """Returns `document` with each `path=value` of `settings` set, and what each `~path` names taken out.

    Values are YAML: a number, a word, a list, a whole mapping. Stages are addressed by name.

    Raises:
        ExperimentError: With every setting that has no `=`, or whose path leads nowhere.
    """
    problems: list[ConfigError] = []
    for setting in settings:
        try:
            document = _apply(document, setting)
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise ExperimentError("--set", problems)
    return document


def _apply(document: Document, setting: str) -> Document:
    path, equals, text = setting.partition("=")
    if setting.startswith("~") and not equals:
        return remove_path(document, setting[1:].strip())
    if not equals:
        raise ConfigError(setting, setting, "path=value, such as training.steps=100, or ~path to take something out")
    try:
        value = parse_yaml(text, f"--set {path}")
    except ExperimentError as error:
        raise ConfigError(path, text, "YAML", str(error.problems[0])) from None
    return set_path(document, path.strip(), value)


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
        path: The file; `-` is standard input.
        settings: `path=value` texts that replace values of the file.
        root: Replaces the file's root.

    Raises:
        ExperimentError: With every problem, one line each.
    """
    return _checked(read_document(Path(path)), Path(path).name, settings, root)


def experiment_of(document: Mapping[str, Any], settings: Iterable[str] = (), root: str | None = None) -> Experiment:
    """Checks an experiment that is given as a mapping, as its file would be read; `extends` is relative to the working directory.

    Args:
        document: What would stand in the file.
        settings: `path=value` texts that replace values.
        root: Replaces the document's root.

    Raises:
        ExperimentError: With every problem, one line each.
    """
    source = str(document.get("name", "the mapping"))
    return _checked(extended(_lists(document), Path.cwd(), source), source, settings, root)


def _checked(document: Document, source: str, settings: Iterable[str], root: str | None) -> Experiment:
    document = apply_settings(document, settings)
    return check_document(document if root is None else {**document, "root": root}, source)


def _lists(value: Any) -> Any:
    """A file has lists only; Python people write tuples too."""
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value
