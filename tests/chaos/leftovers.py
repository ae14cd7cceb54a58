"""Asks a cluster what is left on it: `python -m chaos.leftovers`, in a process of its own, prints JSON."""

import json
import sys

import ray
from ray.util import placement_group_table
from ray.util.state import list_actors

OF_THE_CLUSTER = ("_StatsActor", "_AutoscalingCoordinatorActor")
"""Ray Data's own; there is one of each for all jobs, and they stay."""


def main() -> None:
    ray.init(logging_level="error", log_to_driver=False)
    groups = [group["placement_group_id"] for group in placement_group_table().values() if group["state"] != "REMOVED"]
    actors = [actor.class_name for actor in list_actors(limit=1000) if actor.state != "DEAD" and actor.class_name not in OF_THE_CLUSTER]
    sys.stdout.write(json.dumps({"placement groups": groups, "actors": actors}) + "\n")


if __name__ == "__main__":
    main()
