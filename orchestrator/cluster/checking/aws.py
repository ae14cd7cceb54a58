"""What goes wrong on AWS in particular: images, spot machines, zones, disks that stay."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cluster.checking.findings import Finding, doubtful, is_placeholder, wrong
from orchestrator.cluster.checking.machines import SPOT_FIRST, is_spot
from orchestrator.cluster.checking.node_config import node_config_findings

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_IMAGE = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_GROUP = re.compile(r"sg-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_ROLLING_IMAGE = "latest_dlami"


def aws_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong for AWS with a launcher file that has its defaults filled in."""
    yield from _provider(config["provider"])
    types, head = config["available_node_types"], config["head_node_type"]
    for name, kind in types.items():
        path, node_config = f"available_node_types.{name}.node_config", kind["node_config"]
        yield from node_config_findings(path, node_config)
        yield from _identity(path, node_config)
        yield from _spot(path, node_config, is_head=name == head)
    yield from _zones(config)
    yield from _fallback(config)


def _provider(provider: Mapping[str, Any]) -> Iterator[Finding]:
    region = provider.get("region")
    if not is_placeholder(region) and not (isinstance(region, str) and _REGION.fullmatch(region)):
        yield wrong("provider.region", region, "an AWS region such as eu-central-1")
    if provider.get("cache_stopped_nodes", True) is not False:
        got = provider.get("cache_stopped_nodes")
        yield wrong(
            "provider.cache_stopped_nodes", got, "false: machines would be stopped instead of ended, and their disks charged for ever"
        )
    for zone in _listed(provider):
        if isinstance(region, str) and not is_placeholder(region) and not zone.startswith(region):
            yield wrong("provider.availability_zone", zone, f"zones of {region}")


def _listed(provider: Mapping[str, Any]) -> list[str]:
    zones = provider.get("availability_zone")
    return [] if zones is None else [zone.strip() for zone in str(zones).split(",")]


def _identity(path: str, node_config: Mapping[str, Any]) -> Iterator[Finding]:
    """What the machine is, what it boots, and who may knock at it."""
    if "LaunchTemplate" in node_config:
        return
    if not node_config.get("InstanceType"):
        yield wrong(f"{path}.InstanceType", None, "an instance type, such as m7i.xlarge")
    image = node_config.get("ImageId")
    if image is None or image == _ROLLING_IMAGE:
        yield wrong(
            f"{path}.ImageId", image, "the id of an image, ami-...; Ray's own choice is Ubuntu 18.04, without security updates since 2023"
        )
    elif not is_placeholder(image) and not _IMAGE.fullmatch(str(image)):
        yield wrong(f"{path}.ImageId", image, "the id of an image: ami- and 8 or 17 of the letters 0 to 9 and a to f")
    groups = node_config.get("SecurityGroupIds")
    if not groups and "NetworkInterfaces" not in node_config:
        allowed = "security groups of your own; Ray makes one otherwise, which lets the whole internet knock at port 22"
        yield doubtful(f"{path}.SecurityGroupIds", groups, allowed)
    for number, group in enumerate(groups if isinstance(groups, list) else ()):
        if not is_placeholder(group) and not _GROUP.fullmatch(str(group)):
            yield wrong(
                f"{path}.SecurityGroupIds.{number}", group, "the id of a security group: sg- and 8 or 17 of the letters 0 to 9 and a to f"
            )


def _spot(path: str, node_config: Mapping[str, Any], *, is_head: bool) -> Iterator[Finding]:
    if not is_spot(node_config):
        return
    path = f"{path}.InstanceMarketOptions"
    if is_head:
        yield wrong(f"{path}.MarketType", "spot", "a head on demand: when it is taken away, the job is gone with it")
    options = node_config["InstanceMarketOptions"].get("SpotOptions") or {}
    if isinstance(options, Mapping) and options.get("SpotInstanceType") == "persistent":
        allowed = "one-time: AWS would start again what Ray has ended"
        yield wrong(f"{path}.SpotOptions.SpotInstanceType", "persistent", allowed)


def _zones(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Spot capacity runs out zone by zone."""
    allowed = "several, or none for all of the region: spot capacity runs out zone by zone"
    zones = _listed(config["provider"])
    for name, kind in config["available_node_types"].items():
        if not is_spot(kind["node_config"]):
            continue
        subnets = kind["node_config"].get("SubnetIds")
        if isinstance(subnets, list) and len(subnets) == 1:
            yield doubtful(f"available_node_types.{name}.node_config.SubnetIds", subnets[0], allowed)
        elif len(zones) == 1:
            yield doubtful("provider.availability_zone", zones[0], allowed)
            return


def _fallback(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Ray's own provider asks for spot machines for ever while AWS has none."""
    provider = config["provider"]
    if provider.get("module") == SPOT_FIRST or not any(is_spot(kind["node_config"]) for kind in config["available_node_types"].values()):
        return
    allowed = (
        f"external, with module: {SPOT_FIRST}: Ray asks for a spot machine for ever while AWS has none, whatever other types there are"
    )
    yield doubtful("provider.type", provider.get("type"), allowed)
