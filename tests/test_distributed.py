"""Two workers that share each batch learn what one learns from the whole, and are stopped like it."""

import time

import pytest
from early_stopping import GOOD, HOPELESS, METRIC, RUNGS, SWEEP, Counting, requests_of

from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.running.execution import Execution

pytestmark = pytest.mark.ray
SETTINGS = ("name=pairs", f"stages.rates.axes={{training.learning_rate: [{GOOD[0]}, {HOPELESS[0]}]}}")


@pytest.fixture(scope="module")
def pairs(ray_session, tmp_path_factory):
    """The good and the hopeless run of the sweep, each computed by two Ray Train workers, and how they ended."""
    watch, root = Counting(), str(tmp_path_factory.mktemp("pairs"))
    execution = Execution(check_document({**apply_settings(SWEEP, (*SETTINGS, "resources.workers=2")), "root": root}, "pairs.yaml"), watch)
    execution.run()
    return execution, watch.ended


def test_two_workers_draw_the_loss_curve_of_one(pairs, tmp_path):
    from orchestrator.computing.worker import Placement, compute_run
    from orchestrator.ledger import Ledger
    from orchestrator.store import open_store

    shared, good = pairs[0].ledger, requests_of(pairs[0])[0]
    list(compute_run(good, str(tmp_path), Placement()))
    one, two = Ledger(open_store(str(tmp_path))).metrics(good.spec.id), shared.metrics(good.spec.id)
    assert [row["step"] for row in two] == [row["step"] for row in one] == [4, 6, 8, 12, 16, 18, 20, 24]
    for alone, together in zip(one, two, strict=True):
        losses = {name: value for name, value in alone.items() if "seconds" not in name}
        assert {name: together[name] for name in losses} == pytest.approx(losses, rel=1e-4, abs=1e-6)


def test_a_distributed_run_is_stopped_too(pairs):
    execution, ended = pairs
    good, hopeless = requests_of(execution)
    assert (ended[good.label], ended[hopeless.label]) == ("finished", "stopped")
    status = execution.ledger.status(hopeless.spec.id)
    assert (status.state, status.step) == ("stopped", RUNGS[0])
    assert METRIC in execution.outcome(hopeless).metrics


def test_a_stopped_distributed_run_leaves_neither_placement_groups_nor_processes(pairs, ray_session, ray_head):
    deadline = time.monotonic() + 60
    while (left := leftovers(ray_session, ray_head.dashboard)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == []


def leftovers(ray, dashboard) -> list[str]:
    from ray.util import placement_group_table
    from ray.util.state import list_actors

    groups = [group["placement_group_id"] for group in placement_group_table().values() if group["state"] != "REMOVED"]
    actors = [actor.class_name for actor in list_actors(address=dashboard, limit=1000) if actor.state != "DEAD"]
    return [*groups, *(name for name in actors if "Train" in name or "ImplicitFunc" in name or "InlineRun" in name)]
