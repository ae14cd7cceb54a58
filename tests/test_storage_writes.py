"""Writes to an object store whose answers get lost: one winner, whole files, and nothing left behind."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fault_proxy import PASSING, Answer, FaultPlan

from orchestrator.ledger import Ledger
from orchestrator.store import StoreError, open_store

pytestmark = pytest.mark.data

PART = 2**18
KINDS = tuple(kind for kind in PASSING for _ in range(1 if kind in ("stalled", "silent") else 4))


@pytest.fixture
def store(faults, s3_uri):
    return open_store(s3_uri)


@pytest.fixture
def parts(monkeypatch):
    """A file of three parts."""
    monkeypatch.setattr("orchestrator.store.s3._MULTIPART_BYTES", PART)
    monkeypatch.setattr("orchestrator.store.s3_multipart.PART_BYTES", PART)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", PART)
    return bytes(range(256)) * (PART * 5 // 2 // 256)


def orphaned_parts(s3):
    """Parts that cost money for ever; an upload whose very first answer got lost has none."""
    client = s3.client()
    uploads = client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])
    answers = [client.list_parts(Bucket=s3.bucket, Key=upload["Key"], UploadId=upload["UploadId"]) for upload in uploads]
    return [part for answer in answers for part in answer.get("Parts", [])]


@pytest.mark.parametrize("fault", ["lost_answer", "silent", "internal_error"])
def test_a_writer_knows_its_own_file(faults, store, fault):
    faults.next = [fault]
    assert store.write_if_absent("lease", b"mine")
    assert store.read_bytes("lease") == b"mine"
    assert not store.write_if_absent("lease", b"mine"), "the same bytes of another writer are not its own"


def test_a_loser_stays_a_loser(faults, store):
    assert open_store(store.uri).write_if_absent("lease", b"same")
    for fault in ("lost_answer", "reset", "slow_down"):
        faults.next = [fault]
        assert not store.write_if_absent("lease", b"same")


def test_a_conflict_is_no_defeat(faults, store):
    """S3 says 409 when a delete comes in between: then nobody has won yet."""
    faults.next = [Answer(409, "ConditionalRequestConflict")]
    assert store.write_if_absent("lease", b"mine")


def test_one_winner_among_many_whatever_gets_lost(faults, store):
    faults.plan = FaultPlan(seed=3, rate=0.4, kinds=KINDS)
    files, writers = 6, 5

    def write(number):
        name, text = f"lease-{number % files}", str(number).encode()
        return (name, text) if store.write_if_absent(name, text) else None

    with ThreadPoolExecutor(writers) as pool:
        winners = [won for won in pool.map(write, range(files * writers)) if won]
    assert sorted(name for name, _ in winners) == [f"lease-{number}" for number in range(files)]
    assert all(store.read_bytes(name) == text for name, text in winners)
    assert sum(faults.injected.values()) > 20, faults.injected


def test_the_first_record_of_a_run_stays(faults, store):
    ledger = Ledger(store)
    faults.next = ["lost_answer"]
    ledger.write_spec("run", {"seed": 1})
    faults.next = ["lost_answer"]
    ledger.write_spec("run", {"seed": 2})
    assert b'"seed": 1' in store.read_bytes("runs/run/spec.json")


def test_a_large_file_survives(faults, store, parts, s3):
    faults.plan = FaultPlan(seed=5, rate=0.4, kinds=KINDS)
    for number in range(3):
        store.write_bytes(f"large-{number}", parts)
        assert store.read_bytes(f"large-{number}") == parts
    assert sum(faults.injected.values()) > 5, faults.injected
    assert orphaned_parts(s3) == []


def test_the_answer_to_the_last_step_of_a_large_file_gets_lost(faults, store, parts, s3):
    faults.next = [None, None, None, None, "lost_answer"]
    store.write_bytes("large", parts)
    assert faults.requests[4].startswith("POST /g3dr-tests/"), "the request that puts the parts together"
    assert store.read_bytes("large") == parts


def test_a_refused_part_leaves_nothing_behind(faults, store, parts, s3):
    store.write_bytes("large", b"old")
    faults.requests.clear()
    faults.next = [None, None, Answer(403, "AccessDenied")]
    with pytest.raises(StoreError, match="no permission for UploadPart"):
        store.write_bytes("large", parts)
    assert sum(line.startswith("DELETE") for line in faults.requests) == 1
    assert orphaned_parts(s3) == []
    assert store.read_bytes("large") == b"old"


def test_deletes_survive(faults, store):
    for number in range(12):
        store.write_bytes(f"folder/{number}", b"")
    faults.plan = FaultPlan(seed=6, rate=0.5, kinds=KINDS)
    store.delete("folder")
    assert store.list() == []


def test_a_file_that_is_replaced_while_it_is_read(faults, store):
    store.write_bytes("shard", b"a" * 100)
    with store.open_file("shard") as file:
        assert file.read(10) == b"a" * 10
        store.write_bytes("shard", b"b" * 100)
        with pytest.raises(StoreError, match="was replaced while it was being read"):
            file.read(10)
        store.delete("shard")
        with pytest.raises(FileNotFoundError):
            file.read(10)
