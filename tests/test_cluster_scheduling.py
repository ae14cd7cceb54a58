"""What Ray's own autoscaler makes of cluster.yaml: which machines come for what, and what it leaves to spot_first."""

import warnings

import pytest
import yaml
from cluster_files import LAUNCHER, filled, home  # noqa: F401  (a fixture)

pytestmark = pytest.mark.unit


@pytest.fixture
def launched(home):  # noqa: F811
    """Asks Ray's scheduler what it would start for such requests, given how available types are."""
    from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
    from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
    from ray.autoscaler.v2.utils import ResourceRequestUtil

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = AutoscalingConfig(yaml.safe_load(filled(LAUNCHER)), skip_content_hash=True)

    def call(*bundles):
        requests = ResourceRequestUtil.group_by_count([ResourceRequestUtil.make(bundle) for bundle in bundles])
        asked = SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs=config.get_node_type_configs(),
            max_num_nodes=config.get_max_num_worker_nodes(),
            resource_requests=requests,
        )
        return {launch.instance_type: launch.count for launch in ResourceDemandScheduler().schedule(asked).to_launch}

    return call


def test_machines_come_for_what_waits(launched):
    assert launched() == {}
    assert launched({"CPU": 1}) == {"cpu": 1}
    assert launched({"CPU": 4, "GPU": 1}) == {"gpu": 1}
    assert launched(*[{"CPU": 4, "GPU": 1}] * 8) == {"gpu": 8}
    assert launched(*[{"CPU": 1}] * 40) == {"cpu": 3}


def test_runs_without_gpus_go_to_gpu_machines_last(launched):
    assert launched(*[{"CPU": 1}] * 64) == {"cpu": 4}
    assert launched(*[{"CPU": 1}] * 65) == {"cpu": 4, "gpu": 1}


def test_limits_hold(launched):
    assert launched(*[{"CPU": 16}] * 99, *[{"CPU": 8, "GPU": 1}] * 99) == {"cpu": 4, "gpu": 8}
    assert launched({"CPU": 0.1, "GPU": 2}) == {}


@pytest.mark.parametrize(("status", "counts"), [("ALLOCATION_FAILED", False), ("ALLOCATION_TIMEOUT", True)])
def test_ray_does_not_count_a_machine_that_the_cloud_refused(status, counts):
    """When this fails, Ray falls back by itself, and spot_first can go."""
    from ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor import CloudResourceMonitor
    from ray.core.generated.instance_manager_pb2 import Instance, InstanceUpdateEvent

    monitor = CloudResourceMonitor()
    monitor.notify([InstanceUpdateEvent(instance_type="gpu", new_instance_status=getattr(Instance, status))])
    assert ("gpu" in monitor.get_recoverable_resource_availabilities()) is counts
