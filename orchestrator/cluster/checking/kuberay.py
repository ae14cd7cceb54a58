"""What is wrong with a KubeRay manifest, a RayJob or a RayCluster."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from g3dr.errors import did_you_mean
from orchestrator.cluster.checking import kuberay_fields
from orchestrator.cluster.checking.findings import Finding, doubtful, wrong
from orchestrator.cluster.checking.kuberay_pods import Pod, pod_findings, pods_of
from orchestrator.cluster.checking.kuberay_shapes import cluster_path, cluster_spec
from orchestrator.cluster.checking.versions import differing_pythons, image_findings, installed_ray, python_of_image

_VERSION = "ray.io/v1"
_OPEN_SERVICES = ("LoadBalancer", "NodePort")
_ENTRYPOINT = "python -m orchestrator run FILE --yes --root s3://BUCKET/results"


def autoscaling_config(document: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Returns what Ray's autoscaler makes of a manifest, by its own code; or why it cannot."""
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr  # noqa: PLC0415

    spec = copy.deepcopy(dict(cluster_spec(document)))
    metadata = {"name": document["metadata"]["name"], "namespace": document["metadata"].get("namespace", "default")}
    try:
        return dict(_derive_autoscaling_config_from_ray_cr({"metadata": metadata, "spec": spec})), []
    except Exception as error:  #  (Ray raises whatever it likes)
        reason = str(error).strip().splitlines()
        return None, [wrong(cluster_path(document), type(error).__name__, "what Ray's autoscaler understands", reason[0] if reason else "")]


def kuberay_findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with a manifest of the right shape."""
    path, spec = cluster_path(document), cluster_spec(document)
    if document.get("apiVersion") != _VERSION:
        yield wrong("apiVersion", document.get("apiVersion"), _VERSION)
    yield from _unknown_fields(document, path, spec)
    if str(spec.get("rayVersion")) != installed_ray():
        yield wrong(f"{path}.rayVersion", spec.get("rayVersion"), f"'{installed_ray()}', the version that this project is pinned to")
    yield from _growth(path, spec)
    yield from _exposure(path, spec["headGroupSpec"])
    pods = list(pods_of(path, spec))
    yield from _token(path, spec, pods)
    yield from _images(pods)
    for pod in pods:
        yield from pod_findings(pod)
    if document.get("kind") == "RayJob":
        yield from _job(document["spec"])


def _unknown_fields(document: Mapping[str, Any], path: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    places: list[tuple[str, Any, frozenset[str]]] = [(path, spec, kuberay_fields.CLUSTER)]
    if document.get("kind") == "RayJob":
        places.append(("spec", document["spec"], kuberay_fields.JOB))
    places.append((f"{path}.headGroupSpec", spec["headGroupSpec"], kuberay_fields.HEAD))
    places.append((f"{path}.autoscalerOptions", spec.get("autoscalerOptions"), kuberay_fields.AUTOSCALER))
    places.append((f"{path}.authOptions", spec.get("authOptions"), kuberay_fields.AUTHENTICATION))
    for number, group in enumerate(spec["workerGroupSpecs"]):
        places.append((f"{path}.workerGroupSpecs.{number}", group, kuberay_fields.WORKERS))
    for place, mapping, known in places:
        for key in sorted(set(mapping or ()) - known):
            guess, allowed = did_you_mean(key, sorted(known)), "a field of KubeRay's; Kubernetes drops others without a word"
            yield wrong(f"{place}.{key}", key, allowed, guess) if guess else doubtful(f"{place}.{key}", key, allowed)


def _growth(path: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    if spec.get("enableInTreeAutoscaling") is not True:
        allowed = "true: no worker comes or leaves otherwise"
        yield wrong(f"{path}.enableInTreeAutoscaling", spec.get("enableInTreeAutoscaling"), allowed)
    for number, group in enumerate(spec["workerGroupSpecs"]):
        place, least, most = f"{path}.workerGroupSpecs.{number}", group["minReplicas"], group["maxReplicas"]
        if least > most:
            yield wrong(f"{place}.minReplicas", least, f"at most {most}, which is its maxReplicas")
        elif (replicas := group.get("replicas")) is not None and not least <= replicas <= most:
            yield wrong(f"{place}.replicas", replicas, f"between minReplicas {least} and maxReplicas {most}")
        if least > 0:
            yield doubtful(f"{place}.minReplicas", least, "0, unless they may be paid for while nothing runs")
    head = spec["headGroupSpec"].get("rayStartParams") or {}
    if str(head.get("num-cpus", "")) != "0":
        allowed = "'0', so that no run is placed on the head, beside what the whole job depends on"
        yield doubtful(f"{path}.headGroupSpec.rayStartParams.num-cpus", head.get("num-cpus"), allowed)


def _exposure(path: str, head: Mapping[str, Any]) -> Iterator[Finding]:
    service = (head.get("headService") or {}).get("spec") or {}
    for place, kind in (("serviceType", head.get("serviceType")), ("headService.spec.type", service.get("type"))):
        if kind in _OPEN_SERVICES:
            yield wrong(
                f"{path}.headGroupSpec.{place}",
                kind,
                "ClusterIP, reached by kubectl port-forward: whoever reaches the dashboard can run jobs",
            )
    if head.get("enableIngress"):
        yield wrong(f"{path}.headGroupSpec.enableIngress", head["enableIngress"], "false; kubectl port-forward brings the dashboard over")


def _token(path: str, spec: Mapping[str, Any], pods: list[Pod]) -> Iterator[Finding]:
    options = spec.get("authOptions")
    if isinstance(options, Mapping) and options.get("mode", "token") == "token":
        return
    if options is None and pods and all(pod.has_token for pod in pods):
        return
    got = "nothing" if options is None else dict(options)
    allowed = "{mode: token}: an open Ray port lets anyone in the Kubernetes cluster who reaches it run code (CVE-2023-48022)"
    yield wrong(f"{path}.authOptions", got, allowed)


def _images(pods: list[Pod]) -> Iterator[Finding]:
    for pod in pods:
        yield from image_findings(f"{pod.container_path}.image", pod.image, has_gpus=pod.has_gpus)
    pythons = [(f"{pod.container_path}.image", minor) for pod in pods if (minor := python_of_image(pod.image))]
    yield from differing_pythons(pythons)


def _job(spec: Mapping[str, Any]) -> Iterator[Finding]:
    entrypoint = str(spec.get("entrypoint") or "")
    if "orchestrator run" not in entrypoint and "g3dr run" not in entrypoint:
        yield doubtful("spec.entrypoint", entrypoint, _ENTRYPOINT)
    elif "--root" not in entrypoint or "s3://" not in entrypoint:
        yield wrong("spec.entrypoint", entrypoint, f"{_ENTRYPOINT}: results in a pod vanish with it")
    if spec.get("shutdownAfterJobFinishes") is not True:
        yield doubtful("spec.shutdownAfterJobFinishes", spec.get("shutdownAfterJobFinishes"), "true: the head stays and costs otherwise")
