"""Times of plans: measured, scaled by a stated rule, or unknown."""

import json
import math
import time
from dataclasses import replace

import pytest
from experiment_document import DOCUMENT

from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.planning.durations import Span, in_words, parse_seconds, span_in_words
from orchestrator.planning.estimates import Job, Measurements, stage_time
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.planning.machines import machine_kind
from orchestrator.planning.plan import Capacity, Evidence, make_plan
from orchestrator.planning.survey import survey
from orchestrator.planning.timings import SLOTS, RunTimer, Timing, read_timings, write_timing
from orchestrator.planning.work import work_of
from orchestrator.runs import RunRequest
from orchestrator.store import FolderStore

pytestmark = pytest.mark.unit

KNOWN = Knowledge({"animals": DatasetInfo("root/animals", "v", ("bird", "fish")), "photos": DatasetInfo("root/photos", "p", ("cat",))})


def request(*settings: str, stage: str = "losses") -> RunRequest:
    experiment = check_document(apply_settings(DOCUMENT, settings), "small.yaml")
    expansion = expand_stage(experiment, experiment.stage(stage), KNOWN)
    assert isinstance(expansion, list)
    return expansion[0]


def timing(of: RunRequest, pace: float, rest: float = 2.0, machine: str = "here") -> Timing:
    work = work_of(of)
    return Timing(machine, work.id, work.family, work.size, work.images, pace, rest)


def known(*timings: Timing, machine: str | None = "here", **more: object) -> Measurements:
    return Measurements(timings, machine=lambda _: machine, **more)  # type: ignore[arg-type]


def test_what_costs_no_operations_is_the_same_work_and_the_rest_is_not():
    base = work_of(request())
    same = ["training.learning_rate=1e-3", "objective.rgb.weight=3", "model.generator.plane_gain=4", "seed=7", "training.steps=99"]
    other = ["model.generator.width=24", "objective.perceptual.weight=1", "training.freeze=encoder", "resources.cpus_per_worker=2"]
    sizes = ["training.batch_size=8", "model.generator.resolution=64", "training.rays_per_image=7", "resources.workers=2"]
    assert {work_of(request(setting)).id for setting in same} == {base.id}
    assert len({base.family, *(work_of(request(setting)).family for setting in other)}) == 1 + len(other)
    assert {work_of(request(setting)).family for setting in sizes} == {base.family}
    assert len({base.id, *(work_of(request(setting)).id for setting in sizes)}) == 1 + len(sizes)


def test_equal_work_on_the_same_machine_is_measured():
    run = request()
    pace = known(*(timing(run, value) for value in (0.9, 1.0, 1.1))).step(run)
    assert pace is not None
    assert (pace.basis, pace.samples) == ("measured", 3)
    assert (pace.seconds.low, pace.seconds.high) == pytest.approx((0.85, 1.15))  # wider than its 80 %: at least 15 % either way


def test_another_size_is_scaled_with_its_pixels_and_from_half_to_double():
    small, large = request(), request("model.generator.resolution=64", "training.batch_size=8")
    pace = known(timing(small, 1.0)).step(large)
    assert pace is not None
    assert pace.basis == "scaled"
    assert (pace.seconds.low, pace.seconds.high) == pytest.approx((4.0, 16.0))  # 4 x the pixels, 2 x the images: 8, halved and doubled
    nearer = known(timing(small, 1.0), timing(request("model.generator.resolution=64"), 5.0)).step(large)
    assert nearer is not None
    assert (nearer.seconds.low, nearer.seconds.high) == pytest.approx((5.0, 20.0))


def test_another_machine_or_network_tells_nothing():
    run = request()
    assert known(timing(run, 1.0, machine="elsewhere")).step(run) is None
    assert known(timing(request("model.generator.width=24"), 1.0)).step(run) is None
    assert known(timing(run, 1.0, machine="elsewhere"), machine=None).step(run) is not None  # a cluster whose machines nobody knows


def test_runs_of_the_plan_itself_tell_with_doubt_what_they_took_before_machines_were_recorded():
    run = request()
    pace = known(own=[(work_of(run), 1.0), (work_of(run), 0.0)]).step(run)
    assert pace is not None
    assert (pace.basis, pace.seconds) == ("scaled", Span(0.5, 2.0))


def test_a_stage_takes_between_its_share_and_its_share_with_the_longest_run():
    run = request()
    found = stage_time([Job(run, 10, 5)], 2, "inline", known(timing(run, 1.0), starts={"inline": [3.0, 4.0]}))
    low, high = 10 * 0.85 + 2 * 0.85, 10 * 1.15 + 2 * 1.15
    assert found.basis == "measured"
    assert found.seconds is not None
    assert found.seconds.low == pytest.approx(5 * low / 2 + 3)
    assert found.seconds.high == pytest.approx(5 * high / 2 + high / 2 + 4)
    single = stage_time([Job(run, 10)], 2, "inline", known(timing(run, 1.0)))
    assert single.seconds is not None
    assert single.seconds.low == pytest.approx(low)


def test_one_unknown_run_makes_a_stage_unknown_and_no_runs_take_no_time():
    run, other = request(), request("model.generator.width=24")
    assert stage_time([Job(run, 1), Job(other, 1)], 2, "inline", known(timing(run, 1.0))).seconds is None
    assert stage_time([], 2, "inline", known()).seconds == Span()
    assert stage_time([Job(run, 0)], 1, "inline", known()).seconds is None  # a measurement alone, never timed
    assert stage_time([Job(run, 0)], 1, "inline", known(timing(run, 0.0, 3.0))).seconds == Span(3.0 * 0.85, 3.0 * 1.15)


def test_timings_survive_the_store_and_do_not_grow_with_the_number_of_runs(tmp_path):
    store, run = FolderStore(tmp_path), request()
    for seed in range(3 * SLOTS):
        write_timing(store, replace(run, spec=replace(run.spec, seed=seed)), "here", 0.5, 1.5)
    store.write_bytes(f"timings/{work_of(run).family}/{work_of(run).id}-garbage.json", b"{")
    assert len(store.list("timings")) <= SLOTS + 1
    read = read_timings(store, [work_of(run)])
    assert set(read) == {timing(run, 0.5, 1.5)}
    assert read_timings(store, [work_of(request("model.generator.width=24"))]) == []


def test_measuring_a_run_later_does_not_replace_what_its_steps_took(tmp_path):
    store, run = FolderStore(tmp_path), request()
    write_timing(store, run, "here", 0.5, 1.5)
    write_timing(store, run, "here", 0.0, 2.5)
    assert {(timing.seconds_per_step, timing.overhead_seconds) for timing in read_timings(store, [work_of(run)])} == {
        (0.5, 1.5),
        (0.0, 2.5),
    }


def test_a_worker_times_steps_and_all_else(tmp_path):
    store, run = FolderStore(tmp_path), request()
    RunTimer(run).write(store, measured=False)
    assert store.list("timings") == []
    timer = RunTimer(run)
    time.sleep(0.05)
    timer.add(10, 0.02)
    timer.add(10, 0.04)
    timer.write(store, measured=True)
    [found] = read_timings(store, [work_of(run)])
    assert found.seconds_per_step == pytest.approx(0.003)
    assert found.machine == machine_kind(0)
    assert -0.03 < found.overhead_seconds < 5


def test_stages_of_old_ledgers_tell_how_long_they_took_to_begin(tmp_path):
    ledger = Ledger(FolderStore(tmp_path))
    ledger.set_status("a" * 16, RunStatus("finished", 10, seconds=4.0))
    ledger.write_stage("small", "pretrain", {"kind": "train", "seconds": 11.0, "runs": [{"run": "a" * 16}]})
    ledger.write_stage("other", "sweep", {"kind": "sweep", "seconds": 9.0, "start_seconds": 2.5, "executor": "inline", "runs": []})
    ledger.store.write_bytes("experiments/broken/stages/x.json", b"[")
    found = survey(ledger)
    assert found.starts(ledger, "small", {"pretrain": "distributed"}) == {"distributed": [7.0], "inline": [2.5]}
    assert found.askers("small") == {}
    assert found.askers("other") == {"a" * 16: ("small/pretrain",)}


def test_a_plan_adds_up_its_stages_and_says_what_it_does_not_know():
    experiment = check_document(DOCUMENT, "small.yaml")
    runs = [request(stage=stage) for stage in ("pretrain", "losses", "species")]
    timings = [timing(run, 1.0) for run in runs] + [timing(replace(runs[0], evaluation=runs[1].evaluation), 1.0)]
    capacity = Capacity(3, spare_cpus=1)
    plan = make_plan(experiment, KNOWN, lambda _: False, capacity, Evidence(lambda _: known(*timings), machine=lambda _: "here"))
    assert plan.machine == "here"
    assert [stage.time.basis for stage in plan.stages[:2]] == ["measured", "measured"]
    assert plan.stages[0].time.seconds is not None
    assert plan.stages[0].time.seconds.low == pytest.approx(0.85 * 12)
    record = json.loads(json.dumps(plan.to_json()))
    assert record["stages"][0]["time"]["seconds"]["low"] == pytest.approx(10.2)
    nothing = make_plan(experiment, KNOWN, lambda _: False, capacity)
    assert (nothing.seconds, nothing.known_seconds, nothing.to_json()["seconds"]) == (None, Span(), None)
    assert "unknown" in nothing.table()[0]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 s", 90), ("30min", 1800), ("2 h", 7200), ("1.5 d", 129600), ("2", None), ("-1 h", None), ("2 hours", None)]
)
def test_what_people_type_as_a_time(text, seconds):
    assert parse_seconds(text) == seconds


def test_times_in_words():
    assert [in_words(seconds) for seconds in (3, 99, 600, 9000, 400_000)] == ["3 s", "99 s", "10 min", "2.5 h", "4.6 d"]
    assert [in_words(seconds) for seconds in (36_000, 1_000_000)] == ["10 h", "12 d"]
    assert [span_in_words(Span(*ends)) for ends in ((480, 720), (50, 700), (30.1, 30.2))] == ["8 to 12 min", "50 s to 12 min", "30 s"]
    assert math.isclose(Span(1, 2).times(3).high, 6)
