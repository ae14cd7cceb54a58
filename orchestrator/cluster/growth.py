"""What a cluster can grow to: the machines that its autoscaler may add, read from the file that the autoscaler works by.

On a head node that `ray up` has made, that file is known. Elsewhere G3DR_CLUSTER names it: a cluster.yaml, a KubeRay manifest, or the part
that matters itself, as in G3DR_CLUSTER='{available_node_types: {cpu: {resources: {CPU: 16}, max_workers: 4}}}'.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g3dr.errors import ConfigError
from orchestrator.experiment.loading import parse_yaml
from orchestrator.planning.capacity import Capacity, Node

VARIABLE = "G3DR_CLUSTER"
BOOTSTRAP_FILE = "~/ray_bootstrap_config.yaml"
"""Where `ray up` puts the file on the head node."""

_GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu")
_THOUSANDTHS = "m"


@dataclass(frozen=True)
class MachineType:
    """A kind of machine that a cluster may have.

    Attributes:
        name: Of the node type or worker group.
        node: What one of them has.
        most: How many there may be.
        is_head: Whether it is the head, of which there always is one.
    """

    name: str
    node: Node
    most: int
    is_head: bool = False


def with_growth(now: Capacity, source: str | None = None) -> Capacity:
    """Returns a cluster with the machines that it can grow to; as it is, where nobody says that it grows.

    Args:
        now: The machines that are there.
        source: Path of the autoscaler's file, or YAML; G3DR_CLUSTER or the head node's own without it.

    Raises:
        ConfigError: It is not a cluster's, or a machine's resources are not said.
        ExperimentError: It is not YAML.
    """
    source = source or os.environ.get(VARIABLE) or _of_this_head()
    return now if source is None else grown(read_document(source), now.nodes)


def grown(document: Mapping[str, Any], now: tuple[Node, ...] = ()) -> Capacity:
    """Returns the cluster that a cluster.yaml or a KubeRay manifest describes; a head that computes nothing does not count.

    Args:
        document: The parsed file.
        now: The machines that are there already.

    Raises:
        ConfigError: It is not a cluster's, or a machine's resources are not said.
    """
    types = machine_types(document)
    workers = sum(kind.most for kind in types if not kind.is_head)
    limit = document.get("max_workers")
    return full_grown(types, workers if not isinstance(limit, int) else min(workers, limit), now)


def full_grown(types: Sequence[MachineType], most_workers: int, now: tuple[Node, ...] = ()) -> Capacity:
    """Returns the cluster with all machines that it may have; a head that computes nothing does not count.

    Args:
        types: Its kinds of machines.
        most_workers: Workers of all kinds that there may be at the same time.
        now: The machines that are there already.
    """
    useful = [kind for kind in types if not kind.is_head or kind.node != Node(0)]
    nodes = tuple(kind.node for kind in useful for _ in range(kind.most))
    return Capacity.growing(nodes, most_workers + sum(kind.is_head for kind in useful), now)


def machine_types(document: Mapping[str, Any]) -> list[MachineType]:
    """Returns the kinds of machines that a cluster.yaml or a KubeRay manifest allows.

    Raises:
        ConfigError: It is neither, or a machine's resources are not said.
    """
    try:
        return _machine_types(document)
    except (AttributeError, TypeError, ValueError):
        allowed = "machines whose resources and numbers are numbers; g3dr cluster check names every mistake"
        raise ConfigError("the cluster's file", "something else", allowed) from None


def _machine_types(document: Mapping[str, Any]) -> list[MachineType]:
    if isinstance(document.get("available_node_types"), Mapping):
        return list(_of_launcher(document))
    spec = document.get("spec")
    spec = spec.get("rayClusterSpec", spec) if isinstance(spec, Mapping) else None
    if isinstance(spec, Mapping) and "headGroupSpec" in spec:
        return list(_of_kuberay(spec))
    raise ConfigError("the file", "neither", "a cluster.yaml with available_node_types, or a RayCluster or RayJob manifest")


def read_document(source: str) -> Mapping[str, Any]:
    """Reads a file, or what stands in `source` itself if it begins with a brace.

    Raises:
        ConfigError: It cannot be read, or holds no mapping.
        ExperimentError: It is not YAML.
    """
    is_text = source.lstrip().startswith("{")
    try:
        text = source if is_text else Path(source).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ConfigError(VARIABLE, source, f"a readable file of a cluster ({reason})") from None
    document = parse_yaml(text, VARIABLE if is_text else source)
    if not isinstance(document, Mapping):
        raise ConfigError(VARIABLE, source, "a mapping with available_node_types, or a KubeRay manifest")
    return document


def _of_this_head() -> str | None:
    return BOOTSTRAP_FILE if Path(BOOTSTRAP_FILE).expanduser().is_file() else None


def _of_launcher(document: Mapping[str, Any]) -> Iterator[MachineType]:
    for name, kind in document["available_node_types"].items():
        is_head = name == document.get("head_node_type")
        most = kind.get("max_workers", document.get("max_workers", 0))
        resources = kind.get("resources") or {}
        if "CPU" not in resources and not is_head:
            raise ConfigError(f"available_node_types.{name}.resources", dict(resources), "its CPU, and its GPU if it has some")
        node = Node(float(resources.get("CPU", 0)), float(resources.get("GPU", 0)))
        yield MachineType(str(name), node, 1 if is_head else int(most), is_head)


def _of_kuberay(spec: Mapping[str, Any]) -> Iterator[MachineType]:
    yield MachineType("head", _pod(spec["headGroupSpec"], "headGroupSpec"), 1, is_head=True)
    for number, group in enumerate(spec.get("workerGroupSpecs") or ()):
        most = int(group.get("maxReplicas", group.get("replicas", 0))) * int(group.get("numOfHosts", 1))
        yield MachineType(str(group.get("groupName", number)), _pod(group, f"workerGroupSpecs.{number}"), most)


def _pod(group: Mapping[str, Any], path: str) -> Node:
    """What Ray counts of a pod: its start parameters, else the limits of its first container, else what it requests."""
    given = group.get("rayStartParams") or {}
    try:
        container = group["template"]["spec"]["containers"][0]
    except (KeyError, IndexError, TypeError):
        raise ConfigError(f"{path}.template", None, "a pod with a container") from None
    asked = container.get("resources") or {}
    resources = {**(asked.get("requests") or {}), **(asked.get("limits") or {})}
    gpus = sum(_quantity(resources.get(name, 0)) for name in _GPU_RESOURCES)
    cpus = _quantity(given.get("num-cpus", resources.get("cpu", 0)))
    return Node(cpus, _quantity(given.get("num-gpus", gpus)))


def _quantity(value: object) -> float:
    """Reads Kubernetes' way to write a number of CPUs, as in 500m."""
    text = str(value)
    return float(text.removesuffix(_THOUSANDTHS)) / (1000 if text.endswith(_THOUSANDTHS) else 1)
