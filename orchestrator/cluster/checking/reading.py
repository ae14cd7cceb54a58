"""Reads a cluster file: one of Ray's cluster launcher, or a KubeRay manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from g3dr.errors import ConfigError
from orchestrator.experiment.loading import parse_yaml
from orchestrator.experiment.problems import ExperimentError

Document = Mapping[str, Any]
Kind = Literal["launcher", "kuberay"]

KUBERAY_KINDS = ("RayJob", "RayCluster")


def read_cluster_file(path: Path) -> Document:
    """Returns what a cluster file holds, with anchors resolved.

    Raises:
        ExperimentError: It cannot be read, is not YAML, has a key twice, or is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ExperimentError(path.name, [ConfigError("the file", str(path), "a readable YAML file", str(reason))]) from None
    parse_yaml(text, path.name)  # which refuses a key that stands twice
    document = _as_ray_reads_it(text, path.name)
    if not isinstance(document, Mapping):
        raise ExperimentError(path.name, [ConfigError("the file", type(document).__name__, "a cluster.yaml or a KubeRay manifest")])
    return document


def _as_ray_reads_it(text: str, name: str) -> Any:
    """YAML 1.1, in which `no` is false: what counts is what Ray and Kubernetes understand."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ExperimentError(name, [ConfigError("the file", str(error).splitlines()[0], "YAML as Ray reads it")]) from None


def kind_of(document: Document, name: str) -> Kind:
    """Tells what a document is.

    Raises:
        ExperimentError: Neither of the two.
    """
    if "provider" in document or "available_node_types" in document:
        return "launcher"
    if document.get("kind") in KUBERAY_KINDS:
        return "kuberay"
    got = document.get("kind", "neither")
    allowed = f"a file of Ray's cluster launcher (with provider), or a manifest of kind {' or '.join(KUBERAY_KINDS)}"
    raise ExperimentError(name, [ConfigError("the file", got, allowed)])
