"""What a cluster can grow to, read from the file that its autoscaler works by."""

import pytest

from g3dr.errors import ConfigError
from orchestrator.cluster.growth import VARIABLE, grown, machine_types, read_document, with_growth
from orchestrator.planning.capacity import Capacity, Node, Resources, concurrency, infeasible

LAUNCHER = {
    "max_workers": 6,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "max_workers": 0},
        "cpu": {"resources": {"CPU": 16}, "max_workers": 4},
        "gpu": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 4},
    },
}


def pod(limits, requests=None):
    return {"spec": {"containers": [{"resources": {"limits": limits, "requests": requests or {}}}]}}


RAY_JOB = {
    "kind": "RayJob",
    "spec": {
        "rayClusterSpec": {
            "headGroupSpec": {"rayStartParams": {"num-cpus": "0"}, "template": pod({"cpu": "2"})},
            "workerGroupSpecs": [
                {"groupName": "cpu", "maxReplicas": 3, "template": pod({"memory": "8Gi"}, {"cpu": "3500m"})},
                {"groupName": "gpu", "maxReplicas": 2, "numOfHosts": 2, "template": pod({"cpu": 4, "nvidia.com/gpu": "1"})},
            ],
        }
    },
}


def test_a_launchers_file_says_what_there_can_be_at_the_same_time() -> None:
    cluster = grown(LAUNCHER, now=(Node(0),))
    assert cluster.grows
    assert (cluster.cpus, cluster.gpus, cluster.most) == (4 * 16 + 2 * 8, 4, 6)
    assert concurrency(Resources(1, 8, 1.0), cluster) == 4
    assert concurrency(Resources(1, 16), cluster) == 4
    assert concurrency(Resources(4, 8, 1.0), cluster) == 1


def test_a_kuberay_manifest_says_it_by_its_pods() -> None:
    kinds = machine_types(RAY_JOB)
    assert [(kind.name, kind.node, kind.most) for kind in kinds] == [
        ("head", Node(0), 1),
        ("cpu", Node(3.5), 3),
        ("gpu", Node(4, 1), 4),
    ]
    assert grown(RAY_JOB).gpus == 4


def test_what_no_machine_can_hold_is_refused_with_what_there_could_be() -> None:
    said = infeasible("pretrain", Resources(1, 32), grown(LAUNCHER))
    assert said is not None
    assert "the machines that the cluster can have, 6 at the same time, have 16 CPUs, 8 CPUs and 1 GPUs" in said
    assert "the cluster can grow to 4" in (infeasible("pretrain", Resources(8, 8, 1.0), grown(LAUNCHER)) or "")


def test_the_variable_names_a_file_or_holds_the_part_that_matters(tmp_path, monkeypatch) -> None:
    now = Capacity.of((Node(2),))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert with_growth(now) == now
    monkeypatch.setenv(VARIABLE, "{available_node_types: {cpu: {resources: {CPU: 16}, max_workers: 4}}}")
    assert with_growth(now).cpus == 64
    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text("{max_workers: 1, available_node_types: {cpu: {resources: {CPU: 16}, max_workers: 4}}}")
    monkeypatch.delenv(VARIABLE)
    assert with_growth(now).cpus == 16, "the head node that `ray up` made has the file"
    assert with_growth(now).now == (Node(2),)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere.yaml", "a readable file of a cluster"),
        ("{a: 1}", "available_node_types"),
        ("{available_node_types: {gpu: {max_workers: 4}}}", "available_node_types.gpu.resources"),
        ("{spec: {headGroupSpec: {}}}", "headGroupSpec.template"),
        ("{available_node_types: {a: 3}}", "resources and numbers are numbers"),
        ("{available_node_types: {a: {resources: {CPU: many}}}}", "resources and numbers are numbers"),
    ],
)
def test_what_is_no_cluster_is_refused(source, says) -> None:
    with pytest.raises(ConfigError, match=says):
        grown(read_document(source))
