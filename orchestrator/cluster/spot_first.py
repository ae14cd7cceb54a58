"""A node provider for Ray's cluster launcher: spot machines first, on demand where AWS has none.

Ray 2.60 does not fall back by itself. When EC2 refuses a spot machine, its autoscaler marks the request as failed and makes the same one
again, whatever other node types there are: only machines that came and never started Ray count against their type. cluster.yaml names this:

    provider: {type: external, module: orchestrator.cluster.spot_first.SpotFirstNodeProvider, region: ...}
"""

import logging
from typing import Any

from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException

logger = logging.getLogger(__name__)

NO_SPOT_MACHINES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "UnfulfillableCapacity",
        "Unsupported",  # in the zone that was tried last
    }
)
"""EC2's words for a spot machine that is not to be had. Source: the EC2 API reference, error codes."""

_MARKET = "InstanceMarketOptions"


class SpotFirstNodeProvider(AWSNodeProvider):  # type: ignore[misc]  # (Ray has no types)
    """AWS as Ray knows it, but a spot machine that cannot be had in any zone is rented on demand instead, at once.

    Every new machine is tried as spot first, so that the dear ones end with the lack. Machines that run are not exchanged.
    """

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> dict[str, Any]:
        """Starts machines.

        Args:
            node_config: Parameters of EC2's RunInstances.
            tags: Ray's.
            count: How many at most.

        Returns:
            Machines by their ids.

        Raises:
            NodeLaunchException: They cannot be had either way, or something else is wrong.
        """
        try:
            started: dict[str, Any] = super().create_node(node_config, tags, count)
        except NodeLaunchException as error:
            if error.category not in NO_SPOT_MACHINES or not _is_spot(node_config):
                raise
            logger.warning("no spot %s in any zone (%s): on demand instead", node_config.get("InstanceType"), error.category)
            started = super().create_node({key: value for key, value in node_config.items() if key != _MARKET}, tags, count)
        return started


def _is_spot(node_config: dict[str, Any]) -> bool:
    return bool((node_config.get(_MARKET) or {}).get("MarketType") == "spot")
