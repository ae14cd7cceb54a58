"""Where runs find a place: what can never fit, what waits too long, machines of different sizes, elastic workers, parts of GPUs."""

import time

import pytest
from experiment_document import DOCUMENT
from tiny_study import write_study

from orchestrator.experiment.loading import apply_settings, check_document, load_experiment
from orchestrator.experiment.problems import ExperimentError
from orchestrator.planning.capacity import Capacity, Node, Resources, concurrency, infeasible, obstacle, resources_of

TWO_SMALL = Capacity.of((Node(2), Node(2)))
GPU_MACHINE = Capacity.of((Node(8, 2),))


@pytest.mark.parametrize(
    ("resources", "capacity", "expected"),
    [
        (Resources(1, 1), TWO_SMALL, 3),
        (Resources(1, 2), TWO_SMALL, 1),  # half a CPU is left for reading
        (Resources(1, 3), TWO_SMALL, 0),  # four CPUs, but on no machine three
        (Resources(2, 1), TWO_SMALL, 1),
        (Resources(3, 1), Capacity.of((Node(0), Node(2), Node(2))), 1),
        (Resources(2, 2), Capacity.of((Node(3), Node(3))), 1),
        (Resources(1, 1, 0.5), GPU_MACHINE, 4),
        (Resources(1, 1, 0.25), GPU_MACHINE, 7),
        (Resources(1, 1, 1.0), Capacity.of((Node(8), Node(1, 2))), 1),
        (Resources(2, 1, 1.0), GPU_MACHINE, 1),
        (Resources(4, 1, min_workers=2), TWO_SMALL, 1),
        (Resources(2, 1, min_workers=1), Capacity.of((Node(8),)), 3),
    ],
)
def test_runs_at_once(resources, capacity, expected) -> None:
    assert concurrency(resources, capacity) == expected
    assert (infeasible("s", resources, capacity) is None) == (expected > 0)


@pytest.mark.parametrize(
    ("resources", "capacity", "says"),
    [
        (Resources(1, 3), TWO_SMALL, "1 worker with 3 CPUs each, but its 2 machines have 2 CPUs"),
        (Resources(2, 1, 2.0), GPU_MACHINE, "2 workers, which need 4 GPUs, but the cluster has 2"),
        (Resources(8, 1, min_workers=4), TWO_SMALL, "4 workers, which need 4.6 CPUs"),
    ],
)
def test_what_never_fits_is_said(resources, capacity, says) -> None:
    assert says in (infeasible("s", resources, capacity) or "")


def test_what_has_no_place_at_the_moment_is_said() -> None:
    assert obstacle(Resources(1, 1, 1.0), GPU_MACHINE, Capacity(4, 0.5)) == "it needs 1 GPUs, of which 0.5 are free; others use the rest"
    assert obstacle(Resources(1, 1, 1.0), GPU_MACHINE, Capacity(4, 1)) == ""
    assert "its 2 machines have 2 CPUs" in obstacle(Resources(1, 3), TWO_SMALL, TWO_SMALL)


def problem_of(*settings: str) -> str:
    document = apply_settings({**DOCUMENT, "stages": DOCUMENT["stages"][:1]}, settings)
    with pytest.raises(ExperimentError) as caught:
        check_document(document, "x.yaml")
    return str(caught.value)


def test_elastic_workers_must_be_able_to_share_a_batch() -> None:
    assert "with 3 workers the batch would not divide evenly" in problem_of(
        "training.batch_size=8", "stages.pretrain.workers=4", "stages.pretrain.min_workers=2"
    )
    assert "at most workers, which is 2" in problem_of(
        "training.batch_size=8", "stages.pretrain.workers=2", "stages.pretrain.min_workers=3"
    )


@pytest.mark.ray
def test_elastic_workers_reach_ray_train() -> None:
    from orchestrator.executors.distributed import _scaling
    from orchestrator.planning.expand import expand_stage
    from orchestrator.planning.knowledge import DatasetInfo, Knowledge

    stage = ("stages.pretrain.workers=4", "stages.pretrain.min_workers=2")
    settings = ("training.batch_size=12", "resources.gpus_per_worker=0.5", *stage)
    experiment = check_document(apply_settings({**DOCUMENT, "stages": DOCUMENT["stages"][:1]}, settings), "x.yaml")
    request = expand_stage(experiment, experiment.stages[0], Knowledge({"animals": DatasetInfo("uri", "version", ("a",))}))[0]
    scaling = _scaling(resources_of(request))
    assert scaling.num_workers == (2, 4)
    assert scaling.resources_per_worker == {"CPU": 1.0, "GPU": 0.5}


def study(folder, *settings: str):
    """The tiny study's first stage."""
    from orchestrator.running.execution import Execution

    whole = load_experiment(write_study(folder), settings, str(folder / "root"))
    return Execution(whole.model_copy(update={"stages": whole.stages[:1]}))


@pytest.mark.ray
def test_what_no_machine_can_hold_is_refused_at_once(ray_session, tmp_path) -> None:
    from orchestrator.planning.plan import InfeasibleError

    execution, began = study(tmp_path, "resources.cpus_per_worker=4"), time.monotonic()
    with pytest.raises(InfeasibleError, match="4 CPUs"):
        execution.run()
    assert time.monotonic() - began < 5
    assert execution.store.list("runs") == []


@pytest.mark.ray
def test_a_run_that_finds_no_place_in_time_fails_with_the_reason_and_goes_on_later(ray_session, tmp_path) -> None:
    from orchestrator.running.execution import RunFailedError

    @ray_session.remote(num_cpus=3)
    class Hog:
        def ready(self) -> bool:
            return True

    execution = study(tmp_path, "failures.placement_seconds=2")
    execution.plan()
    hog = Hog.remote()
    ray_session.get(hog.ready.remote())
    with pytest.raises(RunFailedError, match="found no place"):
        execution.run()
    (request,) = execution.plan().stages[0].requests
    status = execution.ledger.status(request.spec.id)
    assert status.state == "failed"
    assert "it needs 1 CPUs, of which 0 are free; others use the rest" in status.error
    ray_session.kill(hog)
    execution.run()
    assert execution.ledger.status(request.spec.id).state == "finished"
