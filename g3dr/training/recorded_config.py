"""The model's configuration as a checkpoint records it: plain JSON in, frozen dataclasses out."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from g3dr.config import ModelConfig
from g3dr.errors import CheckpointError, ConfigError

_SHAPED = ("resolution", "width", "multipliers", "position_channels", "features", "attention", "decoder_width")
_FREE = ("position_init", "initial_density", "coarse_samples", "fine_samples", "importance_window", "white_background", "ray_range")


def meaning(config: ModelConfig) -> dict[str, Any]:
    """Returns the settings, by dotted path, that neither the tensors' shapes show nor a user may change without other weights.

    Left out are sizes, how a new model begins, and how finely it is rendered.
    """
    return {
        f"model.{section}.{name}": value
        for section, values in asdict(config).items()
        for name, value in values.items()
        if name not in _SHAPED + _FREE
    }


def config_to_json(config: ModelConfig) -> dict[str, Any]:
    """Returns plain mappings, lists and values."""
    return {name: plain(value) for name, value in asdict(config).items()}


def config_from_json(record: object, where: str) -> ModelConfig:
    """Reads what `config_to_json` wrote; what an older version did not know takes its default.

    Raises:
        CheckpointError: The record has a key that this version does not know, or a value that it does not allow.
    """
    config: ModelConfig = recorded(ModelConfig, record, "model", where)
    return config


def recorded(kind: type[Any], record: object, path: str, where: str) -> Any:
    """Returns a frozen dataclass from what `plain` made of its fields.

    Args:
        kind: The dataclass.
        record: Its fields.
        path: What it is called in messages.
        where: Where it was recorded, likewise.

    Raises:
        CheckpointError: As in `config_from_json`.
    """
    try:
        return _read(kind, dict(record), path, where)  # type: ignore[call-overload]  # anything else is refused
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{where}: the recorded configuration cannot be used ({error})") from error


def plain(value: Any) -> Any:
    """Returns mappings, lists and values, as JSON knows them."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _read(kind: Any, record: Mapping[str, Any], path: str, where: str) -> Any:
    hints = get_type_hints(kind)
    unknown = sorted(set(record) - {field.name for field in fields(kind)})
    if unknown:
        raise CheckpointError(
            f"{where}: written by a newer version, this one does not know {path}.{unknown[0]}; update the program to read it"
        )
    return kind(**{name: _value(hints[name], value, f"{path}.{name}", where) for name, value in record.items()})


def _value(hint: Any, value: Any, path: str, where: str) -> Any:
    section = next((member for member in _members(hint) if is_dataclass(member)), None)
    if section is not None and isinstance(value, Mapping):
        return _read(section, value, path, where)
    return tuple(value) if isinstance(value, list) else value


def _members(hint: Any) -> tuple[Any, ...]:
    """Returns the alternatives of a union, or the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
