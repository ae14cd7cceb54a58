"""A live head's Prometheus endpoints: the numbers of an experiment on it, and the names that the dashboard asks for."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from promql import SOMETIMES, queries, scrape, selectors
from tiny_study import TEXT

from orchestrator.experiment.loading import load_experiment
from orchestrator.observing import catalog
from orchestrator.observing.observing import EVERY_SECONDS
from orchestrator.planning.prices import read_prices
from orchestrator.running.execution import Execution

pytestmark = pytest.mark.ray
NAME, STAGE = "observed", "loss_sweep"
PATIENCE_SECONDS = 300  # a sweep on a busy machine
RENT = "currency: EUR\nmachines: {small: {per_hour: 3600, cpus: 1}}\n"


@pytest.fixture(scope="module")
def watched(ray_session, ray_environment, tmp_path_factory):
    """The sweep of the tiny study, with prices, and what the cluster exported when its last run was over.

    It is asked while the experiment runs: Ray forgets gauges twenty seconds after the last word, and the report may take longer.
    """
    folder = tmp_path_factory.mktemp("observed")
    (folder / "prices.yaml").write_text(RENT, encoding="utf-8")
    file = folder / f"{NAME}.yaml"
    file.write_text(TEXT.replace("name: tiny", f"name: {NAME}"), encoding="utf-8")
    settings = ["~stages.pretrain", "~stages.loss_sweep.from", "~stages.species", "~stages.unseen"]
    execution = Execution(load_experiment(file, settings, str(folder / "root")))
    execution.plan(read_prices(str(folder / "prices.yaml")))
    with ThreadPoolExecutor() as pool:
        samples = pool.submit(_last_samples, ray_environment)
        execution.run()
        return execution, samples.result()


@pytest.fixture(scope="module")
def study(watched):
    """The experiment."""
    return watched[0]


@pytest.fixture(scope="module")
def exported(watched):
    """All samples of the cluster, as soon as the experiment's last ones are among them."""
    return watched[1]


def endpoints(folder):
    """Where the session's cluster exports, from the file that Ray writes for Prometheus."""
    (found,) = json.loads((folder / "r" / "prom_metrics_service_discovery.json").read_text(encoding="utf-8"))
    return found["targets"]


def _last_samples(folder):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        samples = [sample for address in endpoints(folder) for sample in scrape(address)]
        states = _runs(samples)
        if (states.get("finished"), states.get("running")) == (4, 0) or time.monotonic() > deadline:
            return samples
        time.sleep(1)


def _of(samples, metric):
    return [
        (labels, value)
        for name, labels, value in samples
        if name == metric.exported and labels["experiment"] == NAME and labels["stage"] == STAGE
    ]


def _runs(samples):
    return {labels["state"]: value for labels, value in _of(samples, catalog.RUNS)}


def test_the_states_are_those_of_the_ledger(study, exported):
    states, entries = _runs(exported), study.ledger.stage(NAME, STAGE)["runs"]
    assert sum(states.values()) == len(entries) == 4
    assert states["finished"] == sum(entry["state"] == "finished" for entry in entries)
    assert states["running"] == 0


def test_the_steps_are_those_of_the_ledger(study, exported):
    runs = [entry["run"] for entry in study.ledger.stage(NAME, STAGE)["runs"]]
    ((_, steps),) = _of(exported, catalog.STEPS)
    assert steps == sum(len(study.ledger.metrics(run)) for run in runs)


def test_the_best_so_far_is_that_of_the_stage(study, exported):
    ((labels, value),) = _of(exported, catalog.BEST)
    stage = study.ledger.stage(NAME, STAGE)
    (best,) = [entry for entry in stage["runs"] if entry["run"] == stage["best"]]
    assert labels["objective"] == stage["metric"] == "novel_depth_rmse"
    assert value == pytest.approx(study.ledger.evaluation(best["run"], best["evaluation"])["metrics"]["novel_depth_rmse"])


def test_an_hour_of_a_run_costs_what_the_file_says(study, exported):
    ((labels, cost),) = _of(exported, catalog.COST)
    assert labels["currency"] == "EUR"
    assert 0 < cost <= 4 * study.ledger.stage(NAME, STAGE)["seconds"]  # at most four runs at a time, each for one EUR a second


def test_all_names_of_the_dashboard_are_exported(exported):
    there = {name for name, _, _ in exported}
    asked = {name for query in queries() for name, _ in selectors(query)}
    silent = {metric.exported for metric in (catalog.FAILURES, catalog.RETRIES, catalog.STORE, catalog.REPEATED, catalog.COST_LEFT)}
    assert asked - there - SOMETIMES <= silent


def test_names_that_a_head_exports_sometimes_are_rays():
    from ray.autoscaler._private.prom_metrics import AutoscalerPrometheusMetrics
    from ray.dashboard.modules.reporter.reporter_agent import METRICS_GAUGES

    autoscalers = {family.name for family in AutoscalerPrometheusMetrics(session_name="x").registry.collect()}
    assert autoscalers | {f"ray_{name}" for name in METRICS_GAUGES} >= SOMETIMES


def test_exports_are_more_often_than_ray_forgets():
    from ray._private.telemetry.open_telemetry_metric_recorder import OpenTelemetryMetricRecorder

    assert OpenTelemetryMetricRecorder._resolve_gauge_ttl_seconds(None) > 2 * EVERY_SECONDS
