"""The pods of a KubeRay manifest: what they run, as whom, and which secrets they hold."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.cluster.checking.findings import HIDDEN, Finding, doubtful, is_placeholder, wrong

_GPUS = ("nvidia.com/gpu", "amd.com/gpu")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|ACCESS_KEY|API_KEY|CREDENTIAL")
_NO_SECRET = re.compile(r"_PATH$|_FILE$|_MODE$")


@dataclass(frozen=True)
class Pod:
    """The pod of a head or of a worker group; Ray runs in its first container.

    Attributes:
        path: Where its specification stands.
        spec: The specification.
        group: The head's or the group's entry.
    """

    path: str
    spec: Mapping[str, Any]
    group: Mapping[str, Any]

    @property
    def container(self) -> Mapping[str, Any]:
        """Ray's container."""
        first: Mapping[str, Any] = self.spec["containers"][0]
        return first

    @property
    def container_path(self) -> str:
        """Where Ray's container stands."""
        return f"{self.path}.containers.0"

    @property
    def image(self) -> object:
        """What Ray's container runs."""
        return self.container.get("image", "")

    @property
    def has_gpus(self) -> bool:
        """Whether it asks for GPUs."""
        limits = (self.container.get("resources") or {}).get("limits") or {}
        return any(limits.get(name) for name in _GPUS)

    @property
    def has_token(self) -> bool:
        """Whether it is told to ask for a token by hand, as for KubeRay before 1.5.1."""
        entries = {entry.get("name"): entry for entry in self.container.get("env") or ()}
        return entries.get("RAY_AUTH_MODE", {}).get("value") == "token" and "valueFrom" in entries.get("RAY_AUTH_TOKEN", {})


def pods_of(path: str, spec: Mapping[str, Any]) -> Iterator[Pod]:
    """Yields the pods of a RayCluster's specification, the head's first."""
    head = spec["headGroupSpec"]
    yield Pod(f"{path}.headGroupSpec.template.spec", head["template"]["spec"], head)
    for number, group in enumerate(spec["workerGroupSpecs"]):
        yield Pod(f"{path}.workerGroupSpecs.{number}.template.spec", group["template"]["spec"], group)


def pod_findings(pod: Pod) -> Iterator[Finding]:
    """Yields what is wrong with a pod."""
    yield from _environment(pod)
    yield from _security(pod)
    yield from _limits(pod)


def _environment(pod: Pod) -> Iterator[Finding]:
    for number, entry in enumerate(pod.container.get("env") or ()):
        name, value = str(entry.get("name", "")), entry.get("value")
        if value and not is_placeholder(value) and _SECRET_NAME.search(name.upper()) and not _NO_SECRET.search(name.upper()):
            allowed = "valueFrom with a secretKeyRef: what stands here is read by whoever may read the manifest"
            yield wrong(f"{pod.container_path}.env.{number}.value", HIDDEN, allowed)


def _security(pod: Pod) -> Iterator[Finding]:
    own, shared = pod.container.get("securityContext") or {}, pod.spec.get("securityContext") or {}
    if own.get("privileged"):
        allowed = "false: nothing here needs the machine below the pod"
        yield wrong(f"{pod.container_path}.securityContext.privileged", own["privileged"], allowed)
    if not {**shared, **own}.get("runAsNonRoot"):
        yield doubtful(f"{pod.path}.securityContext.runAsNonRoot", None, "true")
    if own.get("allowPrivilegeEscalation") is not False:
        got = own.get("allowPrivilegeEscalation")
        yield doubtful(f"{pod.container_path}.securityContext.allowPrivilegeEscalation", got, "false")


def _limits(pod: Pod) -> Iterator[Finding]:
    limits = (pod.container.get("resources") or {}).get("limits") or {}
    if "memory" not in limits:
        allowed = "a limit: Ray takes the whole machine's memory for its own otherwise, and Kubernetes ends the pod"
        yield doubtful(f"{pod.container_path}.resources.limits.memory", None, allowed)
