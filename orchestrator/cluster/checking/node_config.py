"""A machine's settings against what AWS takes: Ray hands `node_config` to EC2's RunInstances and does not look at it.

The parameters are those of the service model that botocore carries, so this needs no network.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from g3dr.errors import did_you_mean
from orchestrator.cluster.checking.findings import Finding, doubtful, is_placeholder, wrong

_OF_RAY = ("SubnetIds",)
"""Keys that Ray takes out before it asks AWS."""

_SHOWN = 8

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text, in quotes"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
}


@cache
def request_shape() -> StructureShape:
    """Returns the parameters of RunInstances."""
    model = ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")
    shape = model.shape_for("RunInstancesRequest")
    if not isinstance(shape, StructureShape):
        raise TypeError("botocore's model of EC2 has no RunInstancesRequest")
    return shape


def node_config_findings(path: str, node_config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what AWS would refuse.

    Args:
        path: Where the settings stand.
        node_config: Parameters of RunInstances; Ray adds the numbers of machines.
    """
    known = {key: value for key, value in node_config.items() if key not in _OF_RAY}
    yield from _members(request_shape(), known, path, required=())


def _check(shape: Shape, value: Any, path: str) -> Iterator[Finding]:
    if is_placeholder(value):
        return
    if isinstance(shape, StructureShape):
        yield from _members(shape, value, path, shape.required_members)
    elif isinstance(shape, ListShape):
        yield from _items(shape, value, path)
    else:
        yield from _scalar(shape, value, path)


def _members(shape: StructureShape, value: Any, path: str, required: object) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield wrong(path, value, f"a mapping with {_some(shape.members)}")
        return
    for key, child in value.items():
        if key in shape.members:
            yield from _check(shape.members[key], child, f"{path}.{key}")
        else:
            guess = did_you_mean(str(key), [*shape.members, *_OF_RAY])
            yield wrong(f"{path}.{key}", key, "a parameter of EC2's RunInstances", guess or f"such as {_some(shape.members)}")
    for key in required if isinstance(required, list | tuple) else ():
        if key not in value:
            yield wrong(f"{path}.{key}", None, "a value, which EC2 requires here")


def _items(shape: ListShape, value: Any, path: str) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield wrong(path, value, "a list")
        return
    for number, item in enumerate(value):
        yield from _check(shape.member, item, f"{path}.{number}")


def _scalar(shape: Shape, value: Any, path: str) -> Iterator[Finding]:
    types, words = _TYPES.get(shape.type_name, ((object,), ""))
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types and object not in types):
        yield wrong(path, value, words)
        return
    names = getattr(shape, "enum", ())
    if names and value not in names:
        guess = did_you_mean(str(value), names)
        if shape.name == "InstanceType":
            hint = guess or "or it is newer than the installed botocore, and all is well"
            yield doubtful(path, value, "an instance type of EC2's", hint)
        else:
            yield wrong(path, value, f"one of {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}", guess)


def _some(names: Mapping[str, Any]) -> str:
    shown = list(names)[:_SHOWN]
    return ", ".join(shown) + (", ..." if len(names) > _SHOWN else "")
