"""Costs come from a file of the user's, and a person is asked above what she set."""

from pathlib import Path

import pytest

from g3dr.errors import ConfigError
from orchestrator.experiment.problems import ExperimentError
from orchestrator.planning.capacity import Capacity, Resources
from orchestrator.planning.durations import Span
from orchestrator.planning.estimates import StageTime
from orchestrator.planning.expense import Estimate
from orchestrator.planning.plan_records import Plan, StagePlan
from orchestrator.planning.prices import Cost, Prices, cost_of, read_prices
from orchestrator.planning.thresholds import Threshold, read_threshold

pytestmark = pytest.mark.unit

HOUR = Span(3600, 7200)
FILE = """\
currency: EUR
machines:
  small: {per_hour: 0.5, cpus: 4}
  large: {per_hour: 0.9, cpus: 8}
  gpu: {per_hour: 3, cpus: 8, gpus: 2, memory: 64, spot: true, kind: NVIDIA L4}
"""


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    path = tmp_path / "prices.yaml"
    path.write_text(FILE, encoding="utf-8")
    found = read_prices(str(path))
    assert found is not None
    return found


def plan(time: Span | None, cost: Span | None, currency: str = "EUR", runs: int = 1) -> Plan:
    money = cost and Cost(cost, currency, "small", 1)
    stage = StagePlan("s", "train", "d", "", (), runs, 0, 5, "", "inline", Resources(), 1, "", {}, StageTime(time, "measured", 1), money)
    return Plan("x", "", "r", Capacity(4), (stage,), "here", currency)


@pytest.mark.parametrize(
    ("resources", "at_once", "machine", "expected"),
    [
        (Resources(1, 1), 3, None, ("small", 1, 0.5)),
        (Resources(1, 1), 6, None, ("large", 1, 0.9)),
        (Resources(2, 4), 1, None, ("large", 1, 0.9)),
        (Resources(1, 4), 3, None, ("small", 3, 1.5)),  # against two large ones for 1.8
        (Resources(1, 1, 1), 3, "NVIDIA L4", ("gpu", 2, 6.0)),
        (Resources(1, 1, 0.5), 4, "NVIDIA L4", ("gpu", 1, 3.0)),
    ],
)
def test_the_cheapest_machines_that_a_stage_fills_are_paid_for_its_time(prices, resources, at_once, machine, expected):
    cost = cost_of(prices, HOUR, resources, at_once, machine)
    assert cost is not None
    assert (cost.machine, cost.machines, cost.amount.low) == (expected[0], expected[1], pytest.approx(expected[2]))
    assert cost.amount.high == pytest.approx(2 * expected[2])
    assert cost.spot == (cost.machine == "gpu")


def test_what_fits_on_no_machine_of_the_kind_has_no_price(prices):
    assert cost_of(prices, HOUR, Resources(1, 16), 1, None) is None
    assert cost_of(prices, HOUR, Resources(1, 1, 1), 1, "NVIDIA H100") is None


def test_no_file_no_prices(monkeypatch, tmp_path):
    monkeypatch.delenv("G3DR_PRICES", raising=False)
    assert read_prices() is None
    (tmp_path / "p.yaml").write_text(FILE, encoding="utf-8")
    monkeypatch.setenv("G3DR_PRICES", str(tmp_path / "p.yaml"))
    found = read_prices()
    assert found is not None
    assert found.currency == "EUR"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("currency: euro\nmachines: {a: {per_hour: 1, cpus: 1}}", "currency"),
        ("currency: EUR\nmachines: {}", "machines"),
        ("currency: EUR\nmachines: {a: {per_hour: -1, cpus: 1}}", "0 or more"),
        ("currency: EUR\nmachines: {a: {per_hours: 1, cpus: 1}}", "machines.a.per_hour"),
    ],
)
def test_a_wrong_file_of_prices_is_refused_in_words(tmp_path, text, says):
    path = tmp_path / "prices.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ExperimentError, match=says):
        read_prices(str(path))


def test_thresholds_are_read_from_options_or_the_environment(monkeypatch):
    monkeypatch.delenv("G3DR_ASK_ABOVE", raising=False)
    assert read_threshold() is None
    assert read_threshold(["2 h", "20 EUR"]) == read_threshold(["2h, 20 EUR"]) == Threshold(7200, 20, "EUR")
    monkeypatch.setenv("G3DR_ASK_ABOVE", "30 min")
    assert read_threshold() == Threshold(1800)
    assert read_threshold(["5 USD"]) == Threshold(cost=5, currency="USD")
    with pytest.raises(ConfigError, match="a time or a cost"):
        read_threshold(["lots"])


@pytest.mark.parametrize(
    ("threshold", "time", "cost", "says"),
    [
        (Threshold(7200), Span(10, 7200), None, ""),
        (Threshold(7199), Span(10, 7200), None, "takes 10 s to 2.0 h"),
        (Threshold(7200), None, None, "takes nobody knows how long"),
        (Threshold(cost=5, currency="EUR"), Span(1, 1), Span(1, 6), "costs 1.00 to 6.00 EUR"),
        (Threshold(cost=6, currency="EUR"), Span(1, 1), Span(1, 6), ""),
        (Threshold(cost=6, currency="EUR"), Span(1, 1), None, "costs nobody knows what"),
        (Threshold(1, 1, "EUR"), Span(2, 2), Span(2, 2), "takes 2 s and costs 2.00 EUR"),
    ],
)
def test_what_is_above_a_threshold_is_said(threshold, time, cost, says):
    assert threshold.exceeded_by(plan(time, cost)).startswith(says)
    assert bool(threshold.exceeded_by(plan(time, cost))) == bool(says)
    assert threshold.exceeded_by(plan(time, cost, runs=0)) == ""


def test_a_threshold_in_another_currency_than_the_prices_is_refused():
    with pytest.raises(ConfigError, match="EUR, the currency of the prices"):
        Threshold(cost=5, currency="USD").exceeded_by(plan(Span(1, 1), Span(1, 1)))


def test_a_plan_shows_costs_only_where_there_are_prices():
    assert "cost" not in str(plan(Span(1, 1), None, currency="").columns)
    shown = plan(Span(1, 1), Span(1, 2.5))
    assert dict(zip(shown.columns, shown.table()[0], strict=True))["cost, EUR"] == "1.00 to 2.50"
    assert shown.to_json()["cost"] == {"low": 1, "high": 2.5}
    assert shown.stages[0].estimate == Estimate(1.0, 1.75, "EUR")
    assert plan(None, None).stages[0].estimate == Estimate()
