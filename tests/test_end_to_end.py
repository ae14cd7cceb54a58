"""The tiny study from its file to its report, on a real cluster: numbers in, nothing left over, nothing done twice."""

import time

import pytest
from tiny_study import RECIPES, SPECIES, SWEEP, execution, records, summary, without_times

pytestmark = pytest.mark.ray
RAY_DATAS_OWN = {"_StatsActor", "_AutoscalingCoordinatorActor", "ActorLocationTracker"}  # live as long as the cluster


@pytest.fixture
def without_cluster(monkeypatch):
    """Whoever connects fails."""

    def refuse():
        raise AssertionError("Ray was needed")

    monkeypatch.setattr("orchestrator.running.execution.connected", refuse)


def test_the_summary_has_the_whole_study(tiny_ledger):
    found = summary(tiny_ledger)
    assert [(stage["name"], stage["runs"]) for stage in found["stages"]] == [
        ("pretrain", 1),
        ("loss_sweep", SWEEP),
        ("species", SPECIES * RECIPES),
        ("unseen", 1),
    ]
    assert all(set(stage["states"]) == {"finished"} and stage["seconds"] > 0 for stage in found["stages"])
    assert len({(row["species"], row["recipe"]) for row in found["species"]}) == SPECIES * RECIPES
    assert all(row["novel_psnr"] > 0 and row["seconds_per_step"] > 0 for row in found["sweep"])
    assert {row["assignment"]["objective.rgb.form"] for row in found["sweep"]} == {"l1", "l2", "smooth_l1", "cosine"}
    assert found["novel_psnr"] > 5
    assert found["copy_input_psnr"] > 15
    assert found["datasets"]["animals"]["rows"] == SPECIES * 12


def test_the_best_of_the_sweep_is_where_the_grid_starts(tiny_ledger):
    found = summary(tiny_ledger)
    best = min(found["sweep"], key=lambda row: row["novel_depth_rmse"])["run"]
    assert tiny_ledger.stage("tiny", "loss_sweep")["best"] == best
    for row in found["species"]:
        assert f'"initial": "{best}"'.encode() in tiny_ledger.store.read_bytes(f"runs/{row['run']}/spec.json")


def test_the_page_is_there(tiny_ledger):
    page = tiny_ledger.store.read_bytes("reports/tiny/index.html")
    assert page.startswith(b"<!doctype html>")
    assert b"smooth_l1" in page


def test_nothing_is_left_in_the_cluster(tiny_ledger, ray_session, ray_head):
    deadline = time.monotonic() + 30
    while (left := _left(ray_session, ray_head.dashboard)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == []


def _left(ray, dashboard):
    from ray.util.state import list_actors

    actors = {actor.class_name for actor in list_actors(address=dashboard, filters=[("state", "=", "ALIVE")])}
    groups = [group for group in ray.util.placement_group_table().values() if group["state"] != "REMOVED"]
    return [*(actors - RAY_DATAS_OWN), *groups]


def test_again_computes_nothing_and_says_the_same(tiny_ledger, tmp_path, without_cluster):
    before, said = records(tiny_ledger), summary(tiny_ledger)
    execution(tmp_path, tiny_ledger.store.uri).run()
    assert records(tiny_ledger) == before
    assert without_times(summary(tiny_ledger)) == without_times(said)


def test_one_changed_value_reuses_the_rest(tiny_ledger, tmp_path):
    longer = execution(tmp_path, tiny_ledger.store.uri, "stages.species.training.steps=5")
    assert [(stage.name, stage.finished, stage.new) for stage in longer.plan().stages] == [
        ("pretrain", 1, 0),
        ("loss_sweep", SWEEP, 0),
        ("species", SPECIES, SPECIES * (RECIPES - 1)),
        ("unseen", 1, 0),
    ]


def test_another_experiment_computes_only_what_no_other_has(tiny_ledger, tmp_path):
    before = records(tiny_ledger)
    sweep = "{name: loss_sweep, kind: sweep, data: animals, from: pretrain, axes: {objective.rgb.form: [l1], seed: [0, 1]}}"
    pretrain = "{name: pretrain, kind: train, data: animals}"
    other = execution(tmp_path, tiny_ledger.store.uri, "name=other", f"stages=[{pretrain}, {sweep}]", "stages.loss_sweep.training.steps=4")
    other.run()
    after = records(tiny_ledger)
    assert {name: after[name] for name in before} == before
    assert len({name.split("/")[1] for name in after.keys() - before.keys()}) == 1
