"""An evaluation that is shared out among Ray tasks gives the record of one process."""

import pytest
from evaluation_fixture import only_at_the_end, packed_request, same_pictures

from g3dr.errors import DataError
from g3dr.model import G3DR
from g3dr.training.checkpoint import Checkpoint
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.evaluating.measuring import Job, measure
from orchestrator.evaluating.subject import find_subject
from orchestrator.evaluating.tasks import among_tasks
from orchestrator.ledger import Ledger
from orchestrator.runs import RunRequest
from orchestrator.store import open_store

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def request_(tmp_path_factory) -> RunRequest:
    return only_at_the_end(packed_request(tmp_path_factory.mktemp("data")))


def job_on(folder, request: RunRequest) -> tuple[Job, Ledger]:
    """A ledger with an untrained checkpoint, and what is to be measured of it."""
    ledger, run = Ledger(open_store(str(folder))), request.spec.id
    ledger.save_checkpoint(run, Checkpoint(12, G3DR(request.spec.model, seed=1).state_dict(), {}, request.spec.model))
    ledger.write_spec(run, request.spec.to_json())
    uri = ledger.store.child(ledger.checkpoint_path(run, 12)).uri
    return Job(uri, request.evaluation, request.evaluation_data_uri, ledger.store.uri, "cpu"), ledger


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == pytest.approx(other, abs=1e-9) if isinstance(one, float) else one == other


def test_tasks_give_the_record_of_one_process(ray_session, request_, tmp_path):
    records, pictures, seen = {}, {}, []
    for name, share in (("one", None), ("tasks", among_tasks(2))):
        job, ledger = job_on(tmp_path / name, request_)
        subject = find_subject(request_.spec.id, ledger.store)
        assert subject.is_run
        records[name] = measure(job, subject, lambda done, total: seen.append((done, total)), **({"share": share} if share else {}))
        pictures[name] = ledger.store.read_bytes(f"runs/{subject.run}/evaluations/{job.spec.id}.safetensors")
        records[name]["checkpoint"].pop("uri")
    assert same(records["one"], records["tasks"])
    assert same_pictures(pictures["one"], pictures["tasks"])
    assert seen[-1] == (18, 18)


def test_what_a_task_refuses_is_one_sentence_here(ray_session, request_, tmp_path):
    job, _ledger = job_on(tmp_path, request_)
    evaluator = job.evaluator(16)
    broken = Job(job.checkpoint, job.spec, str(tmp_path / "nowhere"), job.root, "cpu")
    with pytest.raises(DataError, match=r"no dataset here; make one with `g3dr data pack`$"):
        among_tasks(2)(broken, evaluator, lambda done, total: None)


def test_a_run_in_a_cluster_measures_its_checkpoints_beside_it(ray_session, tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    request = packed_request(folder, "evaluation.images=8", "evaluation.meshes=0")

    @ray_session.remote(num_cpus=1)
    def compute() -> str:
        return list(compute_run(request, str(folder), Placement()))[-1].state

    assert ray_session.get(compute.remote()) == "finished"
    steps = open_store(str(folder)).list(f"runs/{request.spec.id}/evaluations/{request.measurement}/steps")
    assert [path.rpartition("/")[2] for path in steps] == ["00000004.json", "00000008.json", "00000012.json"]
