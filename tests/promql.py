"""What PromQL expressions of the dashboard and the alerts are about, and what a scrape of a Prometheus endpoint holds."""

import json
import re
import urllib.request
from pathlib import Path

import promql_parser
import yaml

FOLDER = Path(__file__).parent.parent / "docs" / "clusters"
SOMETIMES = {"ray_node_gpus_utilization", "autoscaler_recently_failed_nodes"}
"""Names of Ray's that a head exports only if a node has a GPU, or has failed."""


def dashboard() -> dict:
    return json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))


def rules() -> list[dict]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return group["rules"]


def queries() -> list[str]:
    """All expressions, with something in the place of Grafana's variables."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [query.replace("$__rate_interval", "1m").replace("$experiment", ".*").replace("$stage", ".*") for query in found] + [
        rule["expr"] for rule in rules()
    ]


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """The metrics that an expression asks for, with the labels that it asks by."""
    found = []
    _walk(promql_parser.parse(query), found)
    return found


def _walk(node, found) -> None:
    if isinstance(node, promql_parser.MatrixSelector):
        node = node.vector_selector
    if isinstance(node, promql_parser.VectorSelector):
        found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
    for name in ("expr", "lhs", "rhs"):
        if hasattr(node, name):
            _walk(getattr(node, name), found)
    for argument in getattr(node, "args", None) or []:
        _walk(argument, found)


def scrape(address: str) -> list[tuple[str, dict[str, str], float]]:
    """All samples of an endpoint: name, labels and value."""
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def names_in(text: str) -> set[str]:
    """Our metrics that a text mentions."""
    return set(re.findall(r"\bray_g3dr_\w+", text))
