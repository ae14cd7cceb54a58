"""Hundreds of injected faults between this program and its object store, and not one byte that differs."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from fault_proxy import PASSING, FaultPlan

from g3dr.pictures import encode_depth, encode_image
from g3dr.training.checkpoint import Checkpoint
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.shards import FolderSource, PackOptions, Selection, pack
from orchestrator.shards.streaming import Reader
from orchestrator.store import open_store

SIZE, BATCH, PHOTOS = 8, 8, 37
STEPS = 160  # 35 epochs
LEAST_FAULTS = 200
# Each silence costs half a second, so those two come up less often.
KINDS = tuple(kind for kind in PASSING for _ in range(1 if kind in ("stalled", "silent") else 4))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    chance, top = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "photos"
    for number in range(PHOTOS):
        species = top / ("ant", "bee", "wasp")[number % 3]
        species.mkdir(parents=True, exist_ok=True)
        (species / f"{number:02d}.png").write_bytes(encode_image(chance.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)))
        (species / f"{number:02d}_depth.png").write_bytes(encode_depth(chance.uniform(4, 6, (SIZE, SIZE))))
    return FolderSource(str(top), held_out=0)


@pytest.fixture(autouse=True)
def _without_ray(monkeypatch, request):
    """Another test may have started a cluster in this process."""
    if "ray_session" not in request.fixturenames:
        monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)


@pytest.fixture
def undisturbed(photos, tmp_path):
    """The dataset in a folder of this machine."""
    store = open_store(str(tmp_path / "set"))
    pack(photos, store, options=PackOptions(row_group_rows=3))
    return store


def batches(uri):
    reader = Reader(Selection(uri, "", "train"), 3, BATCH, SIZE, source="stream", engine="pyarrow")
    return [(batch.keys, batch.images.numpy().tobytes(), batch.depths.numpy().tobytes()) for batch in reader.batches(2, STEPS)]


def contents(store):
    """All files but the record of versions, which bears dates."""
    return {name: store.read_bytes(name) for name in store.list() if not name.startswith("manifests/")}


def checkpoint(step):
    chance = torch.Generator().manual_seed(step)
    model = {name: torch.randn(300, 40, generator=chance) for name in ("decoder", "encoder")}
    return Checkpoint(step, model, {"exp_avg.decoder": torch.randn(300, 40, generator=chance)})


def keep_a_ledger(ledger):
    """What a run of three checkpoints writes."""
    for step in (10, 20, 30):
        ledger.write_spec("run", {"seed": 3})
        ledger.write_metrics("run", step, [{"step": step, "loss": 1 / step}])
        ledger.save_checkpoint("run", checkpoint(step))
        ledger.set_status("run", RunStatus("running", step))
    return ledger.latest_checkpoint("run")


@pytest.mark.data
def test_training_sees_the_same_bytes(faults, undisturbed, photos, s3_uri, caplog):
    caplog.set_level(logging.WARNING)
    faults.plan = FaultPlan(seed=11, rate=0.4, kinds=KINDS)
    store = open_store(s3_uri)
    pack(photos, store, options=PackOptions(row_group_rows=3))
    assert contents(store) == contents(undisturbed)
    assert batches(store.uri) == batches(undisturbed.uri)

    assert sum(faults.injected.values()) >= LEAST_FAULTS, faults.injected
    assert set(faults.injected) == set(PASSING)
    told = [record.getMessage().partition(": ")[0] for record in caplog.records]
    assert 5 < len(told) == len(set(told)), "each file is warned about once"


@pytest.mark.data
def test_the_ledger_holds_the_same_bytes(faults, s3_uri, tmp_path):
    faults.plan = FaultPlan(seed=13, rate=0.4, kinds=KINDS)
    far, near = Ledger(open_store(s3_uri)), Ledger(open_store(str(tmp_path)))
    found, expected = keep_a_ledger(far), keep_a_ledger(near)
    assert found.step == expected.step == 30
    assert all(torch.equal(found.model[name], expected.model[name]) for name in expected.model)
    assert contents(far.store) == contents(near.store)
    assert far.checkpoint_steps("run") == [20, 30]
    assert sum(faults.injected.values()) > 30, faults.injected


@pytest.mark.ray
def test_training_sees_the_same_bytes_through_ray(ray_session, faults, undisturbed, photos, s3_uri):
    faults.plan = FaultPlan(seed=12, rate=0.4, kinds=KINDS)
    near, far = (
        Reader(Selection(uri, "", "train"), 3, BATCH, SIZE, source="stream", engine="pyarrow") for uri in (undisturbed.uri, s3_uri)
    )
    far, steps = replace(far, engine="ray"), 20

    # The cluster is older than the proxy, so its workers learn where that is from the task's environment.
    @ray_session.remote(num_cpus=0.1, runtime_env={"env_vars": faults.environment})
    def pack_and_read():
        pack(photos, open_store(s3_uri), options=PackOptions(row_group_rows=3))
        return list(far.batches(2, steps))

    for found, expected in zip(ray_session.get(pack_and_read.remote(), timeout=200), near.batches(2, steps), strict=True):
        assert list(found.keys) == list(expected.keys)
        assert found.images.equal(expected.images)
        assert found.depths.equal(expected.depths)
    assert sum(faults.injected.values()) > 20, faults.injected
