"""Whether a RayJob's experiment is told what its cluster can grow to: pods do not know their manifest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from g3dr.errors import G3drError
from orchestrator.cluster.checking.findings import Finding, doubtful, wrong
from orchestrator.cluster.checking.machines import Machine
from orchestrator.cluster.growth import VARIABLE, grown, read_document
from orchestrator.planning.capacity import Node


def growth_findings(path: str, container: Mapping[str, Any], machines: Sequence[Machine]) -> Iterator[Finding]:
    """Yields what is wrong with G3DR_CLUSTER in the head's container.

    Args:
        path: Where the container stands.
        container: The container.
        machines: What Ray's autoscaler makes of the manifest.
    """
    groups = {machine.name: (machine.cpus or 0.0, machine.gpus, machine.most) for machine in machines if not machine.is_head}
    wanted = _words(groups)
    given = {entry.get("name"): (number, entry) for number, entry in enumerate(container.get("env") or ())}
    if VARIABLE not in given:
        allowed = f"{VARIABLE}: '{wanted}', as the experiment begins before there is a worker, and would be refused as too large"
        yield doubtful(f"{path}.env", f"no {VARIABLE}", allowed)
        return
    number, entry = given[VARIABLE]
    if "value" in entry and _nodes(str(entry["value"])) != _of_groups(groups):
        yield wrong(f"{path}.env.{number}.value", entry["value"], f"'{wanted}', as the worker groups are")


def _words(groups: Mapping[str, tuple[float, float, int]]) -> str:
    types = (
        f"{name}: {{resources: {{CPU: {cpus:g}{f', GPU: {gpus:g}' if gpus else ''}}}, max_workers: {most}}}"
        for name, (cpus, gpus, most) in groups.items()
    )
    return f"{{available_node_types: {{{', '.join(types)}}}}}"


def _of_groups(groups: Mapping[str, tuple[float, float, int]]) -> list[Node]:
    return _sorted([Node(cpus, gpus) for cpus, gpus, most in groups.values() for _ in range(most)])


def _nodes(text: str) -> list[Node] | None:
    """The machines that a value means; None if it means none, or is the name of a file that only the pod has."""
    try:
        return _sorted(list(grown(read_document(text)).nodes)) if text.lstrip().startswith("{") else None
    except (G3drError, TypeError, ValueError, AttributeError):
        return None


def _sorted(nodes: list[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: (node.gpus, node.cpus))
