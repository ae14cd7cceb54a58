"""Early stopping for real: rungs, the runs that are ended at them, and what a second call makes of it."""

from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch
from early_stopping import HOPELESS, METRIC, RUNGS, SWEEP, Counting, requests_of
from experiment_document import DOCUMENT

from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.stopping_spec import AshaSpec
from orchestrator.ledger import Ledger
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.running.execution import Execution
from orchestrator.runs import RunRequest

OPTUNA = (
    "name=guesses",
    "training.steps=12",
    "stages.rates.axes={training.learning_rate: {log_uniform: [1e-9, 5e-3]}}",
    f"stages.rates.search={{algorithm: optuna, trials: 6, batch: 2, metric: {METRIC}, asha: {{grace_steps: 4, reduction_factor: 2}}}}",
)


def sweep_requests(*settings: str, document: dict[str, Any] = SWEEP) -> list[RunRequest]:
    experiment = check_document(apply_settings(document, settings), "stopping.yaml")
    found = expand_stage(experiment, experiment.stages[-1], Knowledge({"animals": DatasetInfo("uri", "version", ("a",))}))
    assert isinstance(found, list)
    return found


def problems(**search: Any) -> dict[str, str]:
    document = deepcopy(SWEEP)
    document["stages"][0]["search"] = search
    try:
        check_document(document, "stopping.yaml")
    except ExperimentError as error:
        return {problem.path: str(problem) for problem in error.problems}
    return {}


# Without Ray


@pytest.mark.unit
def test_rungs_lie_below_the_steps_of_a_run() -> None:
    rule = AshaSpec(grace_steps=10, reduction_factor=3)
    assert rule.rungs(100) == (10, 30, 90)
    assert rule.rungs(90) == (10, 30)
    assert rule.rungs(10) == ()


@pytest.mark.unit
def test_rungs_belong_to_the_request_and_not_to_the_run() -> None:
    with_rungs, without = sweep_requests()[0], sweep_requests("stages.rates.search.asha=null")[0]
    assert (with_rungs.rungs, without.rungs) == (RUNGS, ())
    assert with_rungs.spec.id == without.spec.id
    assert RunRequest.from_json(with_rungs.to_json()).rungs == RUNGS


@pytest.mark.unit
def test_steps_on_an_axis_have_rungs_of_their_own() -> None:
    requests = sweep_requests("stages.rates.axes={training.steps: [4, 7, 60]}")
    assert [request.rungs for request in requests] == [(), (6,), (6, 18, 54)]


@pytest.mark.unit
@pytest.mark.parametrize("metric", ["fd", "kid", "inception_score"])
def test_what_needs_many_images_is_refused_with_asha(metric: str) -> None:
    found = problems(metric=metric, asha={"grace_steps": 2})
    assert "early stopping compares runs on a few images" in found["stages.rates.search.metric"]
    assert not problems(metric=metric)


@pytest.mark.unit
def test_a_grace_that_stops_nothing_is_refused() -> None:
    found = problems(metric=METRIC, asha={"grace_steps": 24})
    assert "less than training.steps, which is 24" in found["stages.rates.search.asha.grace_steps"]
    assert not problems(metric=METRIC, asha={"grace_steps": 23})


@pytest.mark.unit
def test_other_stages_have_no_rungs() -> None:
    document = {**DOCUMENT, "stages": DOCUMENT["stages"][:1]}
    assert [request.rungs for request in sweep_requests(document=document)] == [()]


# With Ray


@pytest.fixture(scope="module")
def sweep(ray_session, tmp_path_factory):
    """A sweep that has run, and how its runs ended."""
    watch = Counting()
    execution = Execution(check_document({**SWEEP, "root": str(tmp_path_factory.mktemp("sweep"))}, "stopping.yaml"), watch)
    execution.run()
    return execution, watch.ended


@pytest.mark.ray
def test_runs_that_are_behind_are_stopped_at_a_rung(sweep) -> None:
    execution, ended = sweep
    stopped = [request for request in requests_of(execution) if execution.ledger.status(request.spec.id).state == "stopped"]
    assert len(ended) == 6
    assert {request.label for request in stopped} == {label for label, state in ended.items() if state == "stopped"}
    assert stopped
    assert any(request.spec.training.learning_rate in HOPELESS for request in stopped)
    for request in stopped:
        status, row = execution.ledger.status(request.spec.id), execution.ledger.metrics(request.spec.id)[-1]
        assert status.step == row["step"]
        assert status.step in RUNGS
        assert execution.ledger.checkpoint_steps(request.spec.id)[-1] == status.step
        assert execution.outcome(request).metrics[METRIC] == row[METRIC]
        assert execution.ledger.evaluation(request.spec.id, request.evaluation.id) is None


@pytest.mark.ray
def test_the_best_is_a_run_that_finished(sweep) -> None:
    execution, ended = sweep
    stage = execution.ledger.stage("stopping", "rates")
    states = {entry["run"]: entry["state"] for entry in stage["runs"]}
    assert sorted(states.values()) == sorted(ended.values())
    assert set(states.values()) == {"finished", "stopped"}
    assert states[stage["best"]] == "finished"


@pytest.mark.ray
def test_the_report_shows_stopped_runs(sweep) -> None:
    execution, _ = sweep
    page = execution.store.read_bytes("reports/stopping/index.html").decode()
    assert "stopped" in page


@pytest.mark.ray
def test_a_second_call_computes_nothing(sweep) -> None:
    execution, _ = sweep
    before = {name: execution.store.read_bytes(name) for name in execution.store.list("runs")}
    watch = Counting()
    again = Execution(execution.experiment, watch)
    again.run()
    assert watch.ended == {}
    assert {name: again.store.read_bytes(name) for name in again.store.list("runs")} == before


@pytest.fixture
def alone(sweep, tmp_path):
    """The good run of the sweep on an empty ledger, and a function that computes it here, without Ray."""
    from orchestrator.computing.worker import Placement, compute_run
    from orchestrator.store import open_store

    request, ledger = requests_of(sweep[0])[0], Ledger(open_store(str(tmp_path)))
    return request, ledger, lambda asked: compute_run(asked, str(tmp_path), Placement())


@pytest.mark.ray
def test_measuring_at_rungs_leaves_the_weights_as_they_are(alone) -> None:
    request, ledger, compute = alone
    reports = list(compute(request))
    probed = ledger.latest_checkpoint(request.spec.id)
    ledger.store.delete(f"runs/{request.spec.id}")
    list(compute(replace(request, rungs=())))
    plain = ledger.latest_checkpoint(request.spec.id)
    assert [report.step for report in reports if METRIC in report.metrics] == [*RUNGS, 24]
    assert probed.model.keys() == plain.model.keys()
    assert all(torch.equal(probed.model[name], plain.model[name]) for name in plain.model)


@pytest.mark.ray
def test_an_interrupted_run_is_continued_and_reports_its_rungs_again(alone) -> None:
    request, ledger, compute = alone
    first = compute(request)
    before = list(islice(first, 3))  # steps 4, 6 and 8
    first.close()
    assert ledger.status(request.spec.id).state == "running"
    after = list(compute(request))
    assert [report.step for report in before] == [4, 6, 8]
    assert [report.step for report in after] == [6, 12, 16, 18, 20, 24, 24]  # what was done when it was left is kept
    assert after[0].metrics[METRIC] == before[1].metrics[METRIC]
    assert after[-1].state == "finished"
    assert [row["step"] for row in ledger.metrics(request.spec.id)] == [4, 6, 8, 12, 16, 18, 20, 24]


@pytest.mark.ray
def test_a_stop_is_final_for_its_workers_and_not_for_other_requests(alone, sweep) -> None:
    request, ledger, compute = alone
    working = compute(request)
    list(islice(working, 2))
    ledger.set_status(request.spec.id, replace(ledger.status(request.spec.id), state="stopped"))
    list(working)  # a worker that is not told: distributed ones end a little later
    execution = Execution(sweep[0].experiment.model_copy(update={"root": ledger.store.uri}))
    assert ledger.status(request.spec.id).step == 6
    assert execution.outcome(request).state == "stopped"
    assert execution.outcome(replace(request, rungs=())) is None
    assert list(compute(replace(request, rungs=())))[-1].state == "finished"
    execution.outcomes.forget(request.spec.id)  # as whoever hands it out does
    assert execution.outcome(request).state == "finished"


@pytest.mark.ray
def test_optuna_proposes_the_same_after_losing_its_last_batch(sweep) -> None:
    experiment = check_document({**apply_settings(SWEEP, OPTUNA), "root": sweep[0].store.uri}, "guesses.yaml")
    first, second = Counting(), Counting()
    execution = Execution(experiment, first)
    execution.run()
    before = requests_of(execution)
    assert len({request.spec.id for request in before}) == 6
    assert set(first.ended) == {request.label for request in before}
    assert all(METRIC in execution.outcome(request).metrics for request in before)
    for request in before[4:]:
        execution.store.delete(f"runs/{request.spec.id}")
    again = Execution(experiment, second)
    assert not again.is_complete()
    again.run()
    assert [request.spec.id for request in requests_of(again)] == [request.spec.id for request in before]
    assert set(second.ended) == {request.label for request in before[4:]}


@pytest.mark.ray
def test_an_actor_takes_its_next_run_when_the_last_was_stopped(sweep, tmp_path) -> None:
    import json

    from orchestrator.executors.inline import InlineRun

    first, second = requests_of(sweep[0])[:2]
    common = {"root": str(tmp_path), "token": None, "attempt": 0}
    actor = InlineRun({"request": json.dumps(first.to_json()), **common})
    assert actor.train()["run"] == first.spec.id
    assert actor.reset({"request": json.dumps(second.to_json()), **common})
    assert (report := actor.train())["run"] == second.spec.id
    assert report["step"] == 4
    actor.stop()
