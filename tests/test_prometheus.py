"""The numbers that Prometheus gets: what the news of an experiment make of them, and who hands them to Ray."""

import time

import pytest
from clocks import Clock

from orchestrator.observing import Observed, catalog
from orchestrator.observing.exporter import RayExporter
from orchestrator.observing.tally import Tally
from orchestrator.planning.capacity import Resources
from orchestrator.planning.expense import Estimate, Rent
from orchestrator.planning.prices import Prices, rent_of
from orchestrator.running.watching import Goal
from orchestrator.store.patience import Patience

pytestmark = pytest.mark.unit


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def tally(clock):
    made = Tally("study", clock, lambda: 1e9 + clock.now)
    made.stage_started("losses", "sweep", 10, 2)
    return made


def values(tally, metric):
    """Values by the labels behind experiment and stage, of the stage `losses`."""
    return {sample.labels[2:]: sample.value for sample in tally.samples() if sample.metric is metric and sample.labels[1] == "losses"}


def value(tally, metric):
    (found,) = values(tally, metric).values()
    return found


def states(tally):
    return {state: count for (state,), count in values(tally, catalog.RUNS).items() if count}


# states


def test_every_run_is_in_one_state(tally):
    tally.run_started("a", "1f", 40)
    tally.run_started("b", "2f", 40)
    tally.run_started("c", "3f", 40)
    tally.run_ended("a", "failed", "no room")
    tally.run_waits("c", "for a place: no machine")
    tally.run_waits("d", "another orchestrator computes it")
    assert states(tally) == {"finished": 2, "failed": 1, "running": 1, "waiting": 2, "missing": 4}
    assert sum(values(tally, catalog.RUNS).values()) == 10


def test_a_run_that_found_its_place_is_computed(tally):
    tally.run_started("a", "1f", 40)
    tally.run_waits("a", "for a place: no machine")
    assert "running" not in states(tally)
    tally.run_progress("a", 5, 40, {})
    assert states(tally)["running"] == 1


@pytest.mark.parametrize("end", [lambda tally: tally.stage_ended("losses", 9.0), lambda tally: tally.experiment_ended("stopped")])
def test_nothing_is_computed_after_the_end(tally, clock, end):
    for label in "ab":
        tally.run_started(label, label, 40)
    for step in (5, 10):
        clock.now += 1
        tally.run_progress("a", step, 40, {})
    tally.run_ended("b", "finished", None)
    assert value(tally, catalog.RATE) == 5
    end(tally)
    end(tally)
    assert states(tally) == {"finished": 3, "interrupted": 1, "missing": 6}
    assert value(tally, catalog.RATE) == 0


def test_a_stage_that_is_over_is_told_beside_the_next(tally):
    tally.run_ended("a", "finished", None)
    tally.stage_ended("losses", 9.0)
    tally.stage_started("species", "grid", 3, 0)
    assert states(tally)["finished"] == 3
    runs = {sample.labels[1:]: sample.value for sample in tally.samples() if sample.metric is catalog.RUNS}
    assert runs["species", "missing"] == 3


# steps


def test_steps_that_are_done_again_are_counted_twice_and_as_repeated(tally):
    for step in (5, 10, 15):
        tally.steps_done("a", step, 5)
    tally.steps_done("b", 5, 5)
    assert (value(tally, catalog.STEPS), value(tally, catalog.REPEATED)) == (20, 0)
    tally.steps_done("a", 12, 2)  # from the checkpoint of step 10
    tally.steps_done("a", 17, 5)
    assert (value(tally, catalog.STEPS), value(tally, catalog.REPEATED)) == (27, 5)


def test_the_rate_is_that_of_all_runs_together(tally, clock):
    for second in range(11):
        clock.now = 100 + second
        tally.run_progress("a", 10 * second, 1000, {})
        tally.run_progress("b", 5 * second, 1000, {})
    assert value(tally, catalog.RATE) == pytest.approx(15)


# failures, news, the best


def test_failures_and_retries_are_counted_by_kind(tally):
    tally.run_mishap("a", "preemption", final=False)
    tally.run_mishap("a", "preemption", final=False)
    tally.run_mishap("b", "non_finite", final=True)
    assert values(tally, catalog.FAILURES) == {("preemption",): 2, ("non_finite",): 1}
    assert values(tally, catalog.RETRIES) == {("preemption",): 2}


def test_the_last_news_are_those_of_runs(tally, clock):
    clock.now += 50
    tally.run_progress("a", 5, 40, {})
    clock.now += 20
    tally.note("a sentence")
    tally.run_waits("b", "for a place")
    assert value(tally, catalog.NEWS) == 1e9 + 150


def test_the_best_so_far_is_told_with_its_name(tally):
    assert values(tally, catalog.BEST) == {}
    tally.stage_goal(Goal("depth_rmse", "min", "earlier", 0.5))
    tally.run_progress("a", 40, 40, {"depth_rmse": 0.25})
    tally.run_progress("b", 40, 40, {"depth_rmse": 0.75})
    assert values(tally, catalog.BEST) == {("depth_rmse",): 0.25}


def test_requests_that_the_store_made_again_are_counted():
    tally = Tally("study")
    Patience(backoff_seconds=1e-6).pause(1)
    assert [sample.value for sample in tally.samples() if sample.metric is catalog.STORE] == [1]


# money


def test_machines_are_paid_for_while_runs_fill_them(tally, clock):
    tally.stage_estimated(Estimate(rent=Rent(36.0, "EUR", runs=2)))  # a cent a second, for two runs
    clock.now += 100  # nobody computes
    tally.run_started("a", "1f", 40)
    clock.now += 10  # one machine
    tally.run_started("b", "2f", 40)
    tally.run_started("c", "3f", 40)
    clock.now += 10  # two
    tally.run_waits("c", "for a place")
    clock.now += 10  # one
    tally.run_ended("a", "finished", None)
    tally.run_retried("b", 2, "its machine vanished")
    clock.now += 100
    assert values(tally, catalog.COST) == {("EUR",): pytest.approx(0.01 * (10 + 20 + 10))}
    tally.stage_ended("losses", 1.0)
    clock.now += 100
    assert values(tally, catalog.COST) == {("EUR",): pytest.approx(0.4)}


def test_without_prices_there_is_no_cost(tally, clock):
    tally.run_started("a", "1f", 40)
    clock.now += 10
    assert values(tally, catalog.COST) == values(tally, catalog.COST_LEFT) == {}


def test_what_is_left_follows_the_plan_and_is_nothing_after_the_end(tally, clock):
    tally.stage_estimated(Estimate(400.0, 8.0, "EUR"))
    clock.now += 100
    assert value(tally, catalog.TIME_LEFT) == 300
    assert values(tally, catalog.COST_LEFT) == {("EUR",): pytest.approx(6.0)}
    tally.stage_ended("losses", 100.0)
    assert value(tally, catalog.TIME_LEFT) == 0
    assert values(tally, catalog.COST_LEFT) == {("EUR",): 0}


@pytest.mark.parametrize(("runs", "hourly"), [(0, 0), (1, 2), (2, 2), (3, 4)])
def test_the_rent_is_known_before_anything_was_measured(runs, hourly):
    prices = Prices(currency="EUR", machines={"small": {"per_hour": 2, "cpus": 4}, "large": {"per_hour": 30, "cpus": 64}})
    rent = rent_of(prices, Resources(1, 2.0), 1, None)
    assert rent == Rent(2, "EUR", 2.0)
    assert rent.per_second(runs) * 3600 == pytest.approx(hourly)


def test_a_run_of_several_machines_pays_for_all_of_them():
    prices = Prices(currency="EUR", machines={"gpu": {"per_hour": 3, "cpus": 8, "gpus": 1}})
    rent = rent_of(prices, Resources(4, 2.0, 1.0), 1, None)
    assert rent.per_second(2) * 3600 == pytest.approx(8 * 3)
    assert rent_of(prices, Resources(4, 2.0, 8.0), 1, None) is None


# the thread


class Taken:
    """An exporter that remembers, and may break."""

    def __init__(self, error=None):
        self.error, self.taken = error, []

    def export(self, samples):
        self.taken.append(list(samples))
        if self.error is not None:
            raise self.error


def test_numbers_are_exported_while_and_after_it_runs():
    exporter = Taken()
    with Observed("study", exporter, every=0.01) as observed:
        observed.tally.stage_started("losses", "sweep", 4, 0)
        observed.tally.run_started("a", "1f", 40)
        time.sleep(0.1)
    assert len(exporter.taken) > 2
    told = [{s.labels[2]: s.value for s in samples if s.metric is catalog.RUNS} for samples in exporter.taken]
    assert told[-2]["running"] == 1
    assert told[-1]["running"] == 0


def test_an_exporter_that_breaks_down_fails_nothing_and_is_warned_about_once(caplog):
    with Observed("study", Taken(RuntimeError("no agent")), every=0.01):
        time.sleep(0.1)
    assert len(caplog.records) == 1
    assert "the experiment goes on (RuntimeError: no agent)" in caplog.text


def test_an_exporter_that_hangs_delays_nothing(monkeypatch):
    monkeypatch.setattr("orchestrator.observing.observing._LAST_WORD_SECONDS", 0.05)

    class Hangs:
        def export(self, samples):
            time.sleep(2)

    began = time.monotonic()
    with Observed("study", Hangs(), every=0.01) as observed:
        for step in range(1000):
            observed.tally.run_progress("a", step, 1000, {"loss": 0.5})
    assert time.monotonic() - began < 1


def test_without_ray_nothing_is_exported(tally, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr("ray.util.metrics.Gauge", None)
    exporter = RayExporter()
    exporter.export(tally.samples())
    assert not exporter._instruments


def test_a_counter_is_told_what_it_grew_by(tally, monkeypatch):
    import ray

    told = []

    class Instrument:
        def __init__(self, name, description, tag_keys):
            self.name = name

        def inc(self, amount, tags):
            told.append((self.name, amount, tags))

        def set(self, amount, tags):
            pass

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr("ray.util.metrics.Gauge", Instrument)
    monkeypatch.setattr("ray.util.metrics.Counter", Instrument)
    exporter = RayExporter()
    for done in (5, 0, 7):
        tally.steps_done("a", done, done)
        exporter.export(tally.samples())
    labels = {"experiment": "study", "stage": "losses"}
    assert [entry for entry in told if entry[0] == "g3dr_steps_total"] == [("g3dr_steps_total", amount, labels) for amount in (5.0, 7.0)]


def test_reports_of_runs_tell_of_steps_and_failures():
    from orchestrator.computing.progress import Progress
    from orchestrator.executors.news import ProgressNews

    tally = Tally("study")
    tally.stage_started("losses", "sweep", 10, 2)
    news = ProgressNews(tally)
    for report in (
        Progress("a", "1f", "running", 5, 40, {"loss": 0.5}, advance=5),
        Progress("a", "1f", "running", 3, 40),  # a rung of an earlier attempt, told again
        Progress("a", "1f", "failed", 5, 40, error="not finite", kind="non_finite"),
    ):
        news.on_trial_result(trial=None, result=report.to_report())
    assert value(tally, catalog.STEPS) == 5
    assert values(tally, catalog.FAILURES) == {("non_finite",): 1}
