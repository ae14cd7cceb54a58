"""Lets pydantic check the frozen dataclasses of g3dr: unknown keys, types, their own checks, all at once.

`Annotated[TrainingConfig, Section()]` accepts a mapping (or an instance) and gives a TrainingConfig.
`Annotated[Overrides, Partial(TrainingConfig)]` accepts some of its keys and gives them back as a checked mapping.
Both are described in the JSON schema by the `Attributes:` of the dataclass's docstring.
"""

import functools
import operator
import re
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

import pydantic
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, Strict, ValidationError, create_model
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from g3dr.errors import ConfigError
from orchestrator.experiment.merging import Document
from orchestrator.experiment.problems import as_problems, line_error, problem, raise_all

Overrides = Document
Handler = Callable[[Any], Any]


class _Mirror(BaseModel):
    """A dataclass as pydantic sees it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())
    dataclass_type: ClassVar[type[Any]]


class Section:
    """Marks a field that holds a whole dataclass; keys that are not given keep the defaults of its parent."""

    def __init__(self, default: Any = None, name: str = "") -> None:
        self.default, self.name = default, name

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        mirror = _mirror(source, self.default, self.name or source.__name__, partial=False)

        def check(value: Any, validate: Handler) -> Any:
            return value if isinstance(value, source) else _validate_all(value, lambda document: _build(validate(document)), mirror)

        return core_schema.no_info_wrap_validator_function(check, handler.generate_schema(mirror), serialization=_plain(asdict))


class Partial:
    """Marks a field that holds some of the keys of a dataclass."""

    def __init__(self, dataclass_type: type[Any], name: str = "") -> None:
        self.dataclass_type, self.name = dataclass_type, name

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        mirror = _mirror(self.dataclass_type, None, self.name or f"Some{self.dataclass_type.__name__}", partial=True)

        def check(value: Any, validate: Handler) -> Any:
            return _validate_all(value, lambda document: _given(validate(document)), mirror)

        return core_schema.no_info_wrap_validator_function(check, handler.generate_schema(mirror), serialization=_plain(dict))


def _plain(function: Callable[[Any], Any]) -> core_schema.PlainSerializerFunctionSerSchema:
    """Written out by `function`: what the field holds is no mirror any more."""
    return core_schema.plain_serializer_function_ser_schema(function)


def _build(mirror: _Mirror) -> Any:
    return mirror.dataclass_type(**{name: getattr(mirror, name) for name in type(mirror).model_fields})


def _given(mirror: _Mirror) -> Document:
    return {name: getattr(mirror, name) for name in type(mirror).model_fields if name in mirror.model_fields_set}


def _validate_all(value: Any, build: Handler, mirror: type[_Mirror]) -> Any:
    """Builds from `value`; after a failure tries again without the keys at fault, so that no problem hides another."""
    document = _tuples(value)
    found: list[InitErrorDetails] = []
    while True:
        try:
            built = build(document)
        except ValidationError as error:
            found += _new(as_problems(error, mirror.model_fields), found)
        except ConfigError as error:
            found.append(line_error([error.path.rpartition(".")[2]], error.got, problem(error.got, error.allowed, error.hint)))
        else:
            raise_all(mirror.__name__, found)
            return built
        document = _without_faults(document, found, mirror.__name__)


def _new(entries: list[InitErrorDetails], found: list[InitErrorDetails]) -> list[InitErrorDetails]:
    """A key that was taken out is missing then, which is no problem of its own."""
    faulty = {entry["loc"][:1] for entry in found}
    return [entry for entry in entries if entry["loc"][:1] not in faulty]


def _without_faults(document: Any, found: list[InitErrorDetails], title: str) -> Document:
    faulty = {entry["loc"][0] for entry in found if entry["loc"]}
    rest = {key: value for key, value in document.items() if key not in faulty} if isinstance(document, dict) else {}
    if not isinstance(document, dict) or len(rest) == len(document):
        raise_all(title, found)
    return rest


def _tuples(value: Any) -> Any:
    """YAML knows lists only; the dataclasses hold tuples, which cannot change."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return {key: _tuples(item) for key, item in value.items()} if isinstance(value, dict) else value


_made: dict[tuple[type[Any], str, bool, str], type[_Mirror]] = {}


def _mirror(dataclass_type: type[Any], default: Any, name: str, *, partial: bool) -> type[_Mirror]:
    """Makes the mirror once: two of the same name would stand twice in the JSON schema."""
    key = (dataclass_type, name, partial, repr(default))
    if key not in _made:
        _made[key] = _create(dataclass_type, default, name, partial=partial)
    return _made[key]


def _create(dataclass_type: type[Any], default: Any, name: str, *, partial: bool) -> type[_Mirror]:
    hints = get_type_hints(dataclass_type)
    described = attributes_of(dataclass_type)
    members: dict[str, Any] = {}
    for member in fields(dataclass_type):
        value = getattr(default, member.name) if default is not None else _default(member)
        annotation = _annotation(hints[member.name], value, f"{name}{member.name.title().replace('_', '')}", partial=partial)
        members[member.name] = (annotation, _field(value, described.get(member.name), partial=partial))
    created = create_model(name, __base__=_Mirror, __doc__=summary_of(dataclass_type), **members)
    created.dataclass_type = dataclass_type
    return created


def _default(member: Field[Any]) -> Any:
    if member.default_factory is not MISSING:
        return member.default_factory()
    return ... if member.default is MISSING else member.default


def _field(value: Any, description: str | None, *, partial: bool) -> Any:
    if value is ... and not partial:
        return pydantic.Field(description=description)
    return pydantic.Field(
        default_factory=lambda: None if partial else value, description=description, json_schema_extra=_shown(value, partial=partial)
    )


def _shown(value: Any, *, partial: bool) -> dict[str, Any] | None:
    if partial or value is ...:
        return None
    return {"default": asdict(value) if is_dataclass(value) and not isinstance(value, type) else value}


def _annotation(hint: Any, default: Any, name: str, *, partial: bool) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return Annotated[Overrides, Partial(hint, name)] if partial else Annotated[hint, Section(default, name)]
    return strict(hint)


def strict(hint: Any) -> Any:
    """Returns the type without pydantic's conversions: "5" is no number and true is not 1, but 2 is a fine 2.0."""
    if hint in {int, float, bool}:
        return Annotated[hint, Strict()]
    if get_origin(hint) in {Union, types.UnionType}:
        return functools.reduce(operator.or_, (strict(argument) for argument in get_args(hint)))
    if get_origin(hint) is tuple:
        return tuple.__class_getitem__(tuple(argument if argument is ... else strict(argument) for argument in get_args(hint)))
    return hint


def summary_of(dataclass_type: type[Any]) -> str:
    """Returns the first line of a docstring."""
    return (dataclass_type.__doc__ or "").strip().split("\n", 1)[0]


def attributes_of(dataclass_type: type[Any]) -> dict[str, str]:
    """Returns what the `Attributes:` of a Google style docstring say, by name."""
    section = (dataclass_type.__doc__ or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^ {8}(\w+): (.*(?:\n {12,}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
