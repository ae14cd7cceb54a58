"""Experiment documents as plain mappings and lists: merging one into another, and dotted paths.

Mappings merge, lists replace, and lists of named mappings (the stages) merge by name; `{name: x, remove: true}` drops one.
"""

from collections.abc import Mapping
from typing import Any

from g3dr.errors import ConfigError, did_you_mean

Document = dict[str, Any]

_KIND_DECIDES = ("procedural", "folder", "dataset")
"""Keys of which a data set has exactly one: naming another replaces the parent's instead of adding to it."""


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Document:
    """Returns `base` with `changes` laid over it; neither is altered."""
    merged = dict(base)
    if any(key in changes and key not in base for key in _KIND_DECIDES):
        merged = {key: value for key, value in base.items() if key not in _KIND_DECIDES}
    for key, value in changes.items():
        merged[key] = _merge_value(merged.get(key), value)
    return merged


def _merge_value(base: Any, value: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(value, Mapping):
        return merge(base, value)
    if _is_named(base) and _is_named(value):
        return _merge_named(base, value)
    return value


def _is_named(value: object) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in value)
    )


def _merge_named(base: list[Document], changes: list[Document]) -> list[Document]:
    merged = {item["name"]: item for item in base}
    for item in changes:
        before = merged.get(item["name"], {})
        if before and item.get("remove") is True:
            del merged[item["name"]]
            continue
        same_kind = item.get("kind", before.get("kind")) == before.get("kind")
        merged[item["name"]] = merge(before, item) if same_kind else item
    return list(merged.values())


def nested(path: str, value: Any) -> Document:
    """Returns `{"a": {"b": value}}` for the path `a.b`."""
    head, _, rest = path.partition(".")
    return {head: nested(rest, value) if rest else value}


def merge_all(*documents: Mapping[str, Any]) -> Document:
    """Lays documents over each other, the last one on top."""
    merged: Document = {}
    for document in documents:
        merged = merge(merged, document)
    return merged


def set_path(document: Mapping[str, Any], path: str, value: Any) -> Document:
    """Returns `document` with one value replaced; members of a list are addressed by their name or index.

    A dot inside a key (the axes of a sweep have such keys) is found too: `stages.sweep.axes.objective.rgb.form`.

    Raises:
        ConfigError: The path leads through a plain value, or names a member of a list that does not exist.
    """
    if not all(path.split(".")):
        raise ConfigError(path, value, "a dotted path such as training.steps=100")
    changed = _set(document, path.split("."), value, path)
    return dict(changed)


def _set(node: Any, parts: list[str], value: Any, path: str) -> Any:
    if not parts:
        return value
    if isinstance(node, list):
        return _set_in_list(node, parts, value, path)
    if node is None or isinstance(node, Mapping):
        return _set_in_mapping(dict(node or {}), parts, value, path)
    raise ConfigError(path, value, f"a path to a single value; the part before {parts[0]!r} is {node!r}")


def _set_in_mapping(node: Document, parts: list[str], value: Any, path: str) -> Document:
    joined = ".".join(parts)
    if joined in node or "axes" in path.split(".")[: -len(parts)][-1:]:
        return node | {joined: value}
    return node | {parts[0]: _set(node.get(parts[0]), parts[1:], value, path)}


def _set_in_list(node: list[Any], parts: list[str], value: Any, path: str) -> list[Any]:
    names = _names(node)
    wanted = names[int(parts[0])] if parts[0].isdigit() and int(parts[0]) < len(names) else parts[0]
    if wanted not in names:
        raise ConfigError(path, parts[0], f"one of {', '.join(names)}", did_you_mean(parts[0], names))
    return [_set(item, parts[1:], value, path) if name == wanted else item for name, item in zip(names, node, strict=True)]


def remove_path(document: Mapping[str, Any], path: str) -> Document:
    """Returns `document` without the key or the member of a list that `path` names, so that its default counts again.

    Raises:
        ConfigError: There is nothing at `path`.
    """
    return dict(_removed(document, path.split("."), path))


def _removed(node: Any, parts: list[str], path: str) -> Any:
    names = _names(node)
    joined = ".".join(parts)
    name, rest = (joined, []) if joined in names else (parts[0], parts[1:])
    if name not in names:
        allowed = f"one of {', '.join(names)}" if names else "a path to something that is set"
        raise ConfigError(f"~{path}", name, allowed, did_you_mean(name, names))
    if isinstance(node, list):
        kept = [(item, key) for item, key in zip(node, names, strict=True) if rest or key != name]
        return [_removed(item, rest, path) if key == name else item for item, key in kept]
    return {key: _removed(value, rest, path) if key == name else value for key, value in node.items() if rest or key != name}


def _names(node: Any) -> list[str]:
    """Returns the keys of a mapping, or the names (else the numbers) of a list's members."""
    if isinstance(node, list):
        return [str(item.get("name", index)) if isinstance(item, Mapping) else str(index) for index, item in enumerate(node)]
    return [str(key) for key in node] if isinstance(node, Mapping) else []
