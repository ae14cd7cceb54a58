"""Whether a KubeRay manifest has the shape that the other checks, and Ray's autoscaler, rely on."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cluster.checking.findings import Finding, is_placeholder, wrong

_WORDS = {Mapping: "a mapping", list: "a list", str: "text", int: "a whole number"}

_CLUSTER: dict[str, type] = {"autoscalerOptions": Mapping, "authOptions": Mapping}
_GROUP: dict[str, type] = {
    "rayStartParams": Mapping,
    "headService": Mapping,
    "headService.spec": Mapping,
    "replicas": int,
    "resources": Mapping,
}
_WORKERS: dict[str, type] = {"groupName": str, "minReplicas": int, "maxReplicas": int}
_POD: dict[str, type] = {"securityContext": Mapping, "nodeSelector": Mapping}
_CONTAINER: dict[str, type] = {
    "env": list,
    "resources": Mapping,
    "resources.limits": Mapping,
    "resources.requests": Mapping,
    "securityContext": Mapping,
}


def cluster_path(document: Mapping[str, Any]) -> str:
    """Returns where the RayCluster's specification stands."""
    return "spec.rayClusterSpec" if document.get("kind") == "RayJob" else "spec"


def cluster_spec(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the RayCluster's specification; empty if there is none."""
    spec = document.get("spec")
    if document.get("kind") == "RayJob":
        spec = spec.get("rayClusterSpec") if isinstance(spec, Mapping) else None
    return spec if isinstance(spec, Mapping) else {}


def shape_findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what keeps a manifest from being understood at all."""
    path, spec = cluster_path(document), cluster_spec(document)
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        yield wrong("metadata.name", None, "a name")
    yield from _mistyped(path, spec, _CLUSTER)
    groups = spec.get("workerGroupSpecs")
    if not isinstance(groups, list) or not groups:
        yield wrong(f"{path}.workerGroupSpecs", groups, "a list of worker groups")
        groups = []
    yield from _group(f"{path}.headGroupSpec", spec.get("headGroupSpec"), {})
    for number, group in enumerate(groups):
        yield from _group(f"{path}.workerGroupSpecs.{number}", group, _WORKERS)


def _group(path: str, group: Any, required: Mapping[str, type]) -> Iterator[Finding]:
    try:
        pod, container = group["template"]["spec"], group["template"]["spec"]["containers"][0]
    except (KeyError, IndexError, TypeError):
        pod = container = None
    if not isinstance(container, Mapping):
        yield wrong(path, type(group).__name__, "a mapping with a template, whose spec has containers")
        return
    for key in required:
        if group.get(key) is None:
            yield wrong(f"{path}.{key}", None, f"{_WORDS[required[key]]}, which KubeRay's autoscaler requires here")
    yield from _mistyped(path, group, {**_GROUP, **required})
    yield from _mistyped(f"{path}.template.spec", pod, _POD)
    yield from _mistyped(f"{path}.template.spec.containers.0", container, _CONTAINER)
    for number, entry in enumerate(container["env"] if isinstance(container.get("env"), list) else ()):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            yield wrong(f"{path}.template.spec.containers.0.env.{number}", entry, "a mapping with name, and value or valueFrom")


def _mistyped(path: str, mapping: Mapping[str, Any], types: Mapping[str, type]) -> Iterator[Finding]:
    """Yields what is there and of another type; dots lead into mappings."""
    for key, kind in types.items():
        value: Any = mapping
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        is_right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if value is not None and not is_right and not (kind is str and is_placeholder(value)):
            yield wrong(f"{path}.{key}", value, _WORDS[kind])
