"""Limits that contradict each other, or that let money run on."""

from collections.abc import Iterator, Mapping
from typing import Any

from g3dr.errors import did_you_mean
from orchestrator.cluster.checking.findings import Finding, doubtful, wrong


def limit_findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with how many machines there may be.

    Args:
        document: A launcher file of the right shape.
    """
    most = document.get("max_workers")
    types, head = document.get("available_node_types") or {}, document.get("head_node_type")
    if types and head not in types:
        yield wrong("head_node_type", head, f"one of {', '.join(types)}", did_you_mean(str(head), types))
    for name, kind in types.items():
        path = f"available_node_types.{name}"
        yield from _head_limits(path, kind) if name == head else _type_limits(path, kind, most)
    least = sum(kind.get("min_workers", 0) for kind in types.values())
    if most is not None and least > most:
        yield wrong("max_workers", most, f"at least {least}, which is what min_workers of the node types add up to")
    yield from _idling(document)


def _type_limits(path: str, kind: Mapping[str, Any], most: int | None) -> Iterator[Finding]:
    least, limit = kind.get("min_workers", 0), kind.get("max_workers", most)
    if limit is not None and least > limit:
        yield wrong(f"{path}.min_workers", least, f"at most {limit}, which is its max_workers")
    if most is not None and kind.get("max_workers", 0) > most:
        yield wrong(f"{path}.max_workers", kind["max_workers"], f"at most {most}, which is max_workers of the whole cluster")
    if least > 0:
        yield doubtful(f"{path}.min_workers", least, "0, unless they may be paid for while nothing runs")


def _head_limits(path: str, kind: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("min_workers", "max_workers"):
        if kind.get(key, 0) > 0:
            yield wrong(f"{path}.{key}", kind[key], "0: a head's type is for the head alone")
    resources = kind.get("resources") or {}
    if resources.get("CPU") != 0:
        allowed = "0, so that no run is placed on the head, beside what the whole job depends on"
        yield doubtful(f"{path}.resources.CPU", resources.get("CPU"), allowed)


def _idling(document: Mapping[str, Any]) -> Iterator[Finding]:
    minutes, speed = document.get("idle_timeout_minutes"), document.get("upscaling_speed")
    if minutes == 0:
        yield wrong("idle_timeout_minutes", 0, "more than 0: a machine would leave before it was given anything")
    if speed == 0:
        yield wrong("upscaling_speed", 0, "more than 0: no machine would ever come")
