"""Checks a cluster file: everything at once, offline.

Ray's own schema and checks come first, then what Ray does not catch. Nothing is asked of a cloud, and no credentials are read.
"""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.cluster.checking.aws import aws_findings
from orchestrator.cluster.checking.costs import hourly_cost, priced, resource_findings
from orchestrator.cluster.checking.findings import Finding, doubtful, unfilled
from orchestrator.cluster.checking.fitting import capacity_of, fits
from orchestrator.cluster.checking.kuberay import autoscaling_config, kuberay_findings
from orchestrator.cluster.checking.kuberay_growth import growth_findings
from orchestrator.cluster.checking.kuberay_shapes import cluster_path, cluster_spec, shape_findings
from orchestrator.cluster.checking.limits import limit_findings
from orchestrator.cluster.checking.local_files import file_findings, key_findings
from orchestrator.cluster.checking.machines import Machine, kuberay_machines, launcher_machines, provider_of
from orchestrator.cluster.checking.ray_schema import ray_findings, schema_findings, with_defaults
from orchestrator.cluster.checking.reading import Document, kind_of, read_cluster_file
from orchestrator.cluster.checking.report import ClusterReport
from orchestrator.cluster.checking.security import credential_findings, port_findings, secret_findings, start_findings
from orchestrator.cluster.checking.versions import command_findings, image_findings, images_of, python_findings
from orchestrator.planning.prices import Prices

_AWS_ONLY = "{} files: node_config, images of machines and markets are not looked at, only what holds for every provider"


def check_cluster(path: Path, experiments: Sequence[Path] = (), prices: Prices | None = None) -> ClusterReport:
    """Checks a launcher file or a KubeRay manifest.

    Args:
        path: The file.
        experiments: Experiment files whose stages must find a place.
        prices: Of machines; without them costs are unknown.

    Raises:
        ExperimentError: The file is no cluster file at all, or an experiment cannot be used.
    """
    document = read_cluster_file(path)
    if kind_of(document, path.name) == "kuberay":
        return _kuberay(path.name, document, experiments, prices)
    return _launcher(path.name, document, experiments, prices)


def _launcher(name: str, document: Document, experiments: Sequence[Path], prices: Prices | None) -> ClusterReport:
    kind = provider_of(document)
    findings, understood = schema_findings(document)
    findings += [*unfilled(document), *secret_findings(document)]
    if not understood:
        return ClusterReport(name, kind, tuple(findings))
    findings += limit_findings(document)
    config, faults = with_defaults(document)
    if config is None:
        return ClusterReport(name, kind, (*findings, *faults))
    findings += _of_launcher(config, kind)
    if not any(finding.is_wrong for finding in findings):
        findings += ray_findings(config)
    machines, note = list(launcher_machines(config)), "" if kind == "aws" else _AWS_ONLY.format(kind)
    report = ClusterReport(name, kind, tuple(findings), most_workers=config["max_workers"], note=note)
    return _with_machines(report, machines, experiments, prices, "available_node_types")


def _of_launcher(config: Document, kind: str) -> list[Finding]:
    """All checks of a launcher file with its defaults."""
    findings = [*(aws_findings(config) if kind == "aws" else ())]
    findings += [finding for path, image in images_of(config) for finding in image_findings(path, image, has_gpus=_uses_gpus(config))]
    for check in (command_findings, python_findings, start_findings, port_findings, credential_findings, file_findings, key_findings):
        findings += check(config)
    return findings


def _uses_gpus(config: Document) -> bool:
    return any((kind.get("resources") or {}).get("GPU") for kind in config["available_node_types"].values())


def _kuberay(name: str, document: Document, experiments: Sequence[Path], prices: Prices | None) -> ClusterReport:
    faults = list(shape_findings(document))
    findings = [*faults, *unfilled(document), *secret_findings(document)]
    if faults:
        return ClusterReport(name, "kuberay", tuple(findings))
    findings += kuberay_findings(document)
    config, faults = autoscaling_config(document)
    if config is None:
        return ClusterReport(name, "kuberay", (*findings, *faults))
    spec = cluster_spec(document)
    machines = list(kuberay_machines(config, spec))
    if document["kind"] == "RayJob":
        head = spec["headGroupSpec"]["template"]["spec"]["containers"][0]
        findings += growth_findings(f"{cluster_path(document)}.headGroupSpec.template.spec.containers.0", head, machines)
    report = ClusterReport(name, "kuberay", tuple(findings), most_workers=config["max_workers"])
    return _with_machines(report, machines, experiments, prices, f"{cluster_path(document)}.workerGroupSpecs")


def _with_machines(
    report: ClusterReport, machines: list[Machine], experiments: Sequence[Path], prices: Prices | None, path: str
) -> ClusterReport:
    offers = priced(machines, prices)
    findings = [*report.findings, *resource_findings(offers, path), *_unknown_resources(machines, path)]
    found, misfits = fits(experiments, capacity_of(machines, report.most_workers)) if experiments else ([], [])
    cost = hourly_cost(offers, prices, report.most_workers)
    return ClusterReport(
        report.file, report.provider, (*findings, *misfits), tuple(offers), report.most_workers, cost, tuple(found), report.note
    )


def _unknown_resources(machines: list[Machine], path: str) -> list[Finding]:
    allowed = "its number of CPUs: Ray asks the cloud for it, but this check and `g3dr plan` cannot, and count none"
    return [
        doubtful(f"{path}.{machine.name}.resources.CPU", None, allowed)
        for machine in machines
        if machine.cpus is None and not machine.is_head
    ]
