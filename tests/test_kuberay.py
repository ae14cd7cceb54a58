"""The KubeRay manifest is right by Kubernetes' own schema and by our check, and every way to get it wrong has its sentence."""

import kubernetes_validate
import pytest
import yaml
from cluster_files import RAYJOB, changed, filled, home  # noqa: F401  (a fixture)

from orchestrator.cluster.checking import check_cluster
from orchestrator.experiment.problems import ExperimentError

pytestmark = pytest.mark.unit

CLUSTER = "spec.rayClusterSpec"


@pytest.fixture
def check(tmp_path):
    """Checks a text; returns the report."""

    def call(text):
        path = tmp_path / "rayjob.yaml"
        path.write_text(text, encoding="utf-8")
        return check_cluster(path)

    return call


def sentences(findings):
    return [str(finding.problem) for finding in findings]


def pods():
    spec = yaml.safe_load(filled(RAYJOB))["spec"]["rayClusterSpec"]
    groups = {"head": spec["headGroupSpec"], **{group["groupName"]: group for group in spec["workerGroupSpecs"]}}
    return {name: group["template"] for name, group in groups.items()}


@pytest.mark.parametrize("name", pods())
def test_pods_are_what_kubernetes_knows(name):
    template = pods()[name]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **template.get("metadata", {})}, "spec": template["spec"]}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
    pod["spec"]["containers"][0]["enviroment"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_the_manifest_of_the_repository_is_right_once_it_is_filled_in(check):
    report = check(filled(RAYJOB))
    assert sentences(report.findings) == []
    counts = [(offer.machine.name, offer.machine.cpus, offer.machine.gpus, offer.machine.most) for offer in report.offers]
    assert counts == [("headgroup", 0, 0, 1), ("cpu", 8, 0, 4), ("gpu", 7, 1, 8)]
    assert report.most_workers == 12


def test_what_is_not_filled_in_is_named_once(check):
    found = sentences(check(RAYJOB.read_text(encoding="utf-8")).errors)
    assert len(found) == 2
    assert "spec.entrypoint" in found[0]
    assert "docs/clusters/Dockerfile" in found[1]


WRONG = {
    "other version of the interface": (("ray.io/v1", "ray.io/v1alpha1"), "apiVersion", "ray.io/v1"),
    "other Ray": (('rayVersion: "2.60.0"', 'rayVersion: "2.9.0"'), f"{CLUSTER}.rayVersion: got '2.9.0'", "2.60.0"),
    "image of another Ray": (
        ("registry.example/g3dr:1.0", "rayproject/ray:2.9.0-py311-gpu"),
        "containers.0.image",
        "an image of Ray 2.60.0",
    ),
    "image that changes": (("registry.example/g3dr:1.0", "registry.example/g3dr"), "containers.0.image", "from day to day"),
    "misspelt field": (("enableInTreeAutoscaling", "enableInTreeAutoscaler"), "enableInTreeAutoscaler:", "enableInTreeAutoscaling"),
    "misspelt field of the job": (
        ("shutdownAfterJobFinishes", "shutDownAfterJobFinishes"),
        "spec.shutDownAfterJobFinishes",
        "did you mean",
    ),
    "misspelt field of a group": (
        ("- groupName: cpu\n        replicas: 0", "- groupName: cpu\n        replica: 0"),
        "workerGroupSpecs.0.replica",
        "did you mean",
    ),
    "no autoscaler": (
        ("enableInTreeAutoscaling: true", "enableInTreeAutoscaling: false"),
        "enableInTreeAutoscaling: got False",
        "no worker comes or leaves",
    ),
    "no token": (("    authOptions: {mode: token}\n", ""), f"{CLUSTER}.authOptions: got 'nothing'", "CVE-2023-48022"),
    "authentication off": (("{mode: token}", "{mode: disabled}"), f"{CLUSTER}.authOptions", "CVE-2023-48022"),
    "dashboard for everybody": (
        ("serviceType: ClusterIP", "serviceType: LoadBalancer"),
        "headGroupSpec.serviceType: got 'LoadBalancer'",
        "kubectl port-forward",
    ),
    "ingress": (("serviceType: ClusterIP", "enableIngress: true"), "headGroupSpec.enableIngress", "kubectl port-forward"),
    "least above most": (("minReplicas: 0", "minReplicas: 9"), "workerGroupSpecs.0.minReplicas: got 9", "at most 4"),
    "replicas outside": (("replicas: 0", "replicas: 9"), "workerGroupSpecs.0.replicas: got 9", "between minReplicas 0 and maxReplicas 4"),
    "group without limits": (("        maxReplicas: 4\n", ""), "workerGroupSpecs.0.maxReplicas", "requires"),
    "no containers": (
        ("containers:\n              - name: ray-worker", "container:\n              - name: ray-worker"),
        "workerGroupSpecs.0",
        "containers",
    ),
    "growth that is another": (
        ("maxReplicas: 8", "maxReplicas: 6"),
        "containers.0.env.0.value",
        "gpu: {resources: {CPU: 7, GPU: 1}, max_workers: 6}",
    ),
    "results in a pod": (("--root s3://animals/results", ""), "spec.entrypoint", "vanish"),
    "secret in the manifest": (
        ('{name: RAY_USAGE_STATS_ENABLED, value: "0"}', "{name: AWS_SECRET_ACCESS_KEY, value: abcdefgh}"),
        "env.1.value: got 'something secret'",
        "secretKeyRef",
    ),
    "privileged": (("allowPrivilegeEscalation: false\n", "privileged: true\n"), "securityContext.privileged", "the machine below"),
}


@pytest.mark.parametrize(("change", "path", "phrase"), WRONG.values(), ids=WRONG)
def test_every_mistake_has_its_sentence(check, change, path, phrase):
    found = sentences(check(changed(filled(RAYJOB), change)).errors)
    assert any(path in sentence and phrase in sentence for sentence in found), found
    assert not any("abcdefgh" in sentence for sentence in found)


DOUBTFUL = {
    "pods that idle": (
        ("replicas: 0\n        minReplicas: 0", "replicas: 1\n        minReplicas: 1"),
        "workerGroupSpecs.0.minReplicas",
        "paid for",
    ),
    "runs on the head": (('num-cpus: "0"', 'num-cpus: "4"'), "rayStartParams.num-cpus", "no run is placed on the head"),
    "root": (("runAsNonRoot: true", "runAsNonRoot: false"), "runAsNonRoot", "true"),
    "cluster that stays": (("shutdownAfterJobFinishes: true", "shutdownAfterJobFinishes: false"), "shutdownAfterJobFinishes", "costs"),
    "growth that nobody is told": (
        ("name: G3DR_CLUSTER", "name: OTHER"),
        "headGroupSpec.template.spec.containers.0.env",
        "refused as too large",
    ),
    "field that is newer": (
        ("rayStartParams: {}", "rayStartParams: {}\n        brandNewThing: 1"),
        "workerGroupSpecs.0.brandNewThing",
        "KubeRay",
    ),
    "no limit of memory": (('limits: {cpu: "8", memory: 32Gi}', 'limits: {cpu: "8"}'), "resources.limits.memory", "a limit"),
}


@pytest.mark.parametrize(("change", "path", "phrase"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_probably_not_meant_is_a_warning(check, change, path, phrase):
    report = check(changed(filled(RAYJOB), change))
    assert report.errors == ()
    assert any(path in sentence and phrase in sentence for sentence in sentences(report.warnings)), sentences(report.warnings)


def test_a_ray_cluster_alone_is_checked_too(check):
    job = yaml.safe_load(filled(RAYJOB))
    cluster = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "g"}, "spec": job["spec"]["rayClusterSpec"]}
    assert sentences(check(yaml.safe_dump(cluster)).findings) == []
    del cluster["spec"]["headGroupSpec"]
    assert "spec.headGroupSpec" in sentences(check(yaml.safe_dump(cluster)).errors)[0]
    with pytest.raises(ExperimentError, match="RayService"):
        check("kind: RayService")
