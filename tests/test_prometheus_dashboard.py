"""Page, dashboard and alerts agree with the metrics that are declared, and are PromQL."""

import re
from pathlib import Path

import promql_parser
import pytest
from promql import dashboard, names_in, queries, rules, selectors

from orchestrator.observing import catalog

pytestmark = pytest.mark.unit
PAGE = (Path(__file__).parent.parent / "docs" / "observability.md").read_text(encoding="utf-8")


def test_the_page_has_the_table_of_what_is_declared():
    assert catalog.table() in PAGE
    assert names_in(PAGE) <= {metric.exported for metric in catalog.METRICS}


@pytest.mark.parametrize("metric", catalog.METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric):
    assert re.fullmatch(r"g3dr_[a-z0-9_]+", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert not {"run", "label"} & set(metric.labels)
    assert "|" not in metric.meaning


def test_panels_are_told_apart_and_do_not_overlap():
    found = dashboard()
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (panel["gridPos"]["x"] + right, panel["gridPos"]["y"] + down)
        for panel in panels
        for right in range(panel["gridPos"]["w"])
        for down in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert {variable["name"] for variable in found["templating"]["list"]} == {"datasource", "experiment", "stage"}


def test_every_panel_asks_the_chosen_prometheus():
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    sources = [panel["datasource"] for panel in panels] + [target["datasource"] for panel in panels for target in panel["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


@pytest.mark.parametrize("query", queries())
def test_expressions_are_promql_about_metrics_and_labels_that_there_are(query):
    declared = {metric.exported: set(metric.labels) for metric in catalog.METRICS}
    found = selectors(query)
    assert found
    for name, labels in found:
        assert name in declared or not name.startswith("ray_g3dr"), name
        assert labels <= declared.get(name, labels), (name, labels)


def test_a_wrong_expression_would_be_noticed():
    with pytest.raises(ValueError, match="invalid promql"):
        promql_parser.parse("sum by (stage ray_g3dr_runs)")


def test_all_metrics_are_on_the_dashboard():
    shown = {name for query in queries() for name, _ in selectors(query)}
    assert {metric.exported for metric in catalog.METRICS} <= shown


def test_the_alerts_of_the_page_are_those_of_the_file():
    assert re.findall(r"^\| `(G3dr\w+)`", PAGE, re.M) == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert {"severity"} == set(rule["labels"])
        assert {"summary", "description"} == set(rule["annotations"])
