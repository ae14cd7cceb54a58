"""The kinds of machines that a cluster may have, alike for a launcher file and a KubeRay manifest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Market = Literal["spot", "spot first", "on demand", ""]

SPOT_FIRST = "orchestrator.cluster.spot_first.SpotFirstNodeProvider"
"""The provider of ours that rents on demand what AWS does not have as spot."""

SPOT_LABELS = {
    "eks.amazonaws.com/capacityType": "SPOT",
    "karpenter.sh/capacity-type": "spot",
    "cloud.google.com/gke-spot": "true",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""Node labels by which clouds tell their spot machines."""

INSTANCE_LABEL = "node.kubernetes.io/instance-type"


@dataclass(frozen=True)
class Machine:
    """A node type of Ray's launcher, or a worker group of KubeRay.

    Attributes:
        name: Of the type or group.
        instance: The cloud's name for the machine; empty where the file does not say it.
        market: Whether it may be taken away, and is then rented on demand; empty where the file does not say it.
        cpus: That Ray counts; None where Ray asks the cloud.
        gpus: That Ray counts.
        least: Machines that are always there.
        most: Machines that there may be.
        is_head: Whether it is the head.
    """

    name: str
    instance: str
    market: Market
    cpus: float | None
    gpus: float
    least: int
    most: int
    is_head: bool = False


def provider_of(document: Mapping[str, Any]) -> str:
    """Returns whose machines a launcher file starts: aws, gcp, ..., external for what nobody here knows."""
    provider = document.get("provider")
    if not isinstance(provider, Mapping):
        return "unknown"
    return "aws" if provider.get("module") == SPOT_FIRST else str(provider.get("type", "unknown"))


def launcher_machines(config: Mapping[str, Any]) -> Iterator[Machine]:
    """Yields the node types of a launcher file, the head first.

    Args:
        config: With Ray's defaults filled in.
    """
    types, head = config["available_node_types"], config["head_node_type"]
    for name in sorted(types, key=lambda name: name != head):
        kind, is_head = types[name], name == head
        resources, market = kind.get("resources") or {}, _market_of(config, kind["node_config"])
        least, most = kind.get("min_workers", 0), kind.get("max_workers", config["max_workers"])
        counts = (1 + least, 1 + most) if is_head else (least, most)  # machines of one's own are all of the head's type
        yield Machine(
            name, _instance_of(kind["node_config"]), market, resources.get("CPU"), float(resources.get("GPU", 0)), *counts, is_head
        )


def _instance_of(node_config: Mapping[str, Any]) -> str:
    azure = node_config.get("azure_arm_parameters")
    given = node_config.get("InstanceType") or node_config.get("machineType") or (azure or {}).get("vmSize")
    return str(given or "")


def _market_of(config: Mapping[str, Any], node_config: Mapping[str, Any]) -> Market:
    provider = provider_of(config)
    if provider == "aws":
        spot: Market = "spot first" if config["provider"].get("module") == SPOT_FIRST else "spot"
        return spot if is_spot(node_config) else "on demand"
    if provider == "gcp":
        return "spot" if any(leaf in ("SPOT", True) for leaf in _preemption(node_config)) else "on demand"
    return ""


def _preemption(node_config: Mapping[str, Any]) -> Iterator[object]:
    """GCP's settings of when a machine may be taken away; a mapping, or a list with one."""
    given = node_config.get("scheduling") or {}
    for entry in given if isinstance(given, list) else [given]:
        if isinstance(entry, Mapping):
            yield from (entry.get("provisioningModel"), entry.get("preemptible"))


def is_spot(node_config: Mapping[str, Any]) -> bool:
    """Tells whether AWS may take such a machine away."""
    options = node_config.get("InstanceMarketOptions")
    return isinstance(options, Mapping) and options.get("MarketType") == "spot"


def kuberay_machines(config: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Machine]:
    """Yields the head and the worker groups of a manifest.

    Args:
        config: What Ray's autoscaler makes of the manifest.
        spec: Of the RayCluster.
    """
    pods = {config["head_node_type"]: spec["headGroupSpec"], **{group["groupName"]: group for group in spec.get("workerGroupSpecs") or ()}}
    for name, kind in config["available_node_types"].items():
        labels = (pods[name]["template"]["spec"]).get("nodeSelector") or {}
        is_head = name == config["head_node_type"]
        least, most = (1, 1) if is_head else (kind["min_workers"], kind["max_workers"])
        resources = kind["resources"]
        market: Market = "spot" if any(labels.get(label) == value for label, value in SPOT_LABELS.items()) else ""
        instance = str(labels.get(INSTANCE_LABEL, ""))
        yield Machine(name, instance, market, float(resources["CPU"]), float(resources.get("GPU", 0)), least, most, is_head)
