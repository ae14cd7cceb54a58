"""Intervals, numbers as text, and chart geometry, against known answers."""

import numpy as np
import pytest

from orchestrator.report.numbers import decimal, duration, interval_text, signed, span
from orchestrator.report.statistics import LEAST_IMAGES, Interval, bootstrap_mean, differences, mean_of, paired
from orchestrator.report.svg import Axis, Line, dot_chart, line_chart, y_range

pytestmark = pytest.mark.unit
MINUS = "\u2212"


@pytest.mark.parametrize(("count", "student"), [(12, 2.201), (48, 2.012)])
def test_the_interval_of_a_mean_agrees_with_students(count, student):
    values = np.random.default_rng(3).normal(25, 2, count)
    interval = bootstrap_mean(list(values))
    half = student * values.std(ddof=1) / np.sqrt(count)
    assert interval.mean == pytest.approx(values.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.12)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(1)
    intervals = [bootstrap_mean(list(generator.normal(0, 1, 10))) for _ in range(200)]
    assert 0.90 <= np.mean([interval.low <= 0 <= interval.high for interval in intervals]) <= 0.99


def test_the_same_values_give_the_same_interval():
    assert bootstrap_mean([1.0, 2.0, 4.0]) == bootstrap_mean([1.0, 2.0, 4.0])


def test_unknown_values_are_left_out_and_few_values_have_no_interval():
    assert bootstrap_mean([None, 3.0, None]) == Interval(3.0, None, None, 1)
    assert bootstrap_mean([None]) is None
    assert mean_of([None, 1.0, 3.0]) == 2.0
    assert mean_of([]) is None


def test_pairing_finds_a_small_difference_between_very_different_images():
    generator = np.random.default_rng(0)
    baseline = {f"fish/{index}": value for index, value in enumerate(generator.normal(25, 5, 20))}
    method = {key: value + 0.3 + generator.normal(0, 0.1) for key, value in baseline.items()}
    assert paired(method, baseline).excludes_zero
    spread = bootstrap_mean(list(method.values()))
    assert spread.low < np.mean(list(baseline.values())) < spread.high


def test_pairs_need_both_sides():
    assert differences({"a": 2.0, "b": None, "c": 5.0}, {"a": 1.5, "b": 1.0}) == {"a": 0.5}
    assert paired({"a": 1.0}, {"b": 1.0}) is None


def test_chance_around_zero_is_no_difference():
    values = np.random.default_rng(5).normal(0, 1, 30)
    assert not paired(
        {str(index): value - values.mean() for index, value in enumerate(values)}, {str(index): 0.0 for index in range(30)}
    ).excludes_zero


def test_few_pairs_are_never_marked():
    few = {str(index): 1.0 + index / 100 for index in range(LEAST_IMAGES - 1)}
    assert not paired(few, dict.fromkeys(few, 0.0)).excludes_zero
    enough = few | {"more": 1.0}
    assert paired(enough, dict.fromkeys(enough, 0.0)).excludes_zero


def test_numbers_as_text():
    assert [decimal(None), decimal(-0.001), decimal(-1.5, 1), signed(0.5, 1), signed(-0.5, 1), signed(0.0)] == [
        "—",
        "0.00",
        f"{MINUS}1.5",
        "+0.5",
        f"{MINUS}0.5",
        "0.00",
    ]
    assert [span(None, 1.0), span(0.1, 0.2, 1), span(-0.1, 0.2, 1, sign=True)] == ["", "[0.1, 0.2]", f"[{MINUS}0.1, +0.2]"]
    assert [interval_text(None), interval_text(Interval(1.0, None, None, 1))] == ["—", "1.00"]
    assert [duration(4.21), duration(42), duration(200), duration(7500)] == ["4.2 s", "42 s", "3 min 20 s", "2 h 5 min"]


def test_axes_have_round_ticks_inside_their_range():
    assert Axis(0, 1000, 0, 100).ticks() == [0, 250, 500, 750, 1000]
    assert Axis(0.01, 10, 0, 100, logarithmic=True).ticks() == pytest.approx([0.01, 0.03, 0.1, 0.3, 1, 3, 10])
    assert Axis(2, 4, 100, 0)(3) == 50


@pytest.mark.parametrize(
    ("values", "logarithmic"), [([0.1, 0.2], False), ([0.01, 2.0], True), ([-1.0, 5.0], False), ([0.3, 0.3], False), ([0.0, 0.0], False)]
)
def test_every_range_of_values_has_an_axis(values, logarithmic):
    line = Line("loss", list(enumerate(values)), 0)
    low, high, chosen = y_range([line])
    assert low <= min(values) <= max(values) <= high
    assert low < high
    assert chosen == logarithmic
    assert "polyline" in line_chart([line], title="loss", x_label="step")


def test_charts_of_nothing_are_empty():
    assert not line_chart([Line("loss", [], 0)], title="loss", x_label="step")
    assert not dot_chart([], title="gain", x_label="dB")


def test_labels_in_charts_are_escaped():
    chart = line_chart([Line("<script>", [(0, 1), (1, 2)], 0)], title='"><b>', x_label="<i>") + dot_chart(
        [("<u>", [1.0])], title="x", x_label="y"
    )
    assert not any(tag in chart for tag in ("<script", "<b>", "<i>", "<u>"))


def test_charts_stay_inside_their_frame():
    chart = dot_chart([("fish", [-3.0, 8.0]), ("bird", [2.0])], title="gain", x_label="dB", width=640)
    positions = [float(part.split('"')[1]) for part in chart.split('<circle class="dot" cx=')[1:]]
    assert positions == sorted(positions[:2]) + positions[2:]
    assert all(110 < position < 640 for position in positions)
