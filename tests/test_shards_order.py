"""The training order: once per epoch, the same for every number of workers, well mixed."""

import numpy as np
import pytest

from orchestrator.shards.order import TrainingOrder, rank_positions

pytestmark = pytest.mark.unit

GROUPS = (16, 16, 3, 16, 7, 16, 16, 1, 16, 5)
ROWS = sum(GROUPS)


def order(**changes):
    return TrainingOrder(**{"groups": GROUPS, "version": "v", "seed": 0, **changes})


@pytest.mark.parametrize("lanes", [1, 4, 64])
@pytest.mark.parametrize("groups", [GROUPS, (1,), (2, 1), (16,) * 40])
def test_every_row_exactly_once_per_epoch(groups, lanes):
    rows = sum(groups)
    long = order(groups=groups, lanes=lanes, window_rows=8).draw(np.arange(3 * rows))
    for epoch in range(3):
        part = slice(epoch * rows, (epoch + 1) * rows)
        assert sorted(long.rows[part].tolist()) == list(range(rows))
        assert set(long.epochs[part].tolist()) == {epoch}


def test_epochs_and_seeds_and_versions_differ():
    first = order().draw(np.arange(2 * ROWS)).rows
    assert first[:ROWS].tolist() != first[ROWS:].tolist()
    assert order(seed=1).draw(np.arange(ROWS)).rows.tolist() != first[:ROWS].tolist()
    assert order(version="w").draw(np.arange(ROWS)).rows.tolist() != first[:ROWS].tolist()


def test_the_order_itself_is_pinned():
    # A change here changes every training that is resumed: it needs a new dataset format.
    assert order(groups=(3, 2, 4), seed=7).draw(np.arange(9)).rows.tolist() == [8, 6, 7, 0, 3, 4, 2, 1, 5]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_workers_share_each_batch(world_size):
    for step in (0, 13, 14, 99):
        whole = order().step(step, 8)
        parts = [order().draw(rank_positions(step, 8, rank, world_size)) for rank in range(world_size)]
        assert np.stack([part.rows for part in parts], axis=1).ravel().tolist() == whole.rows.tolist()
        assert np.stack([part.flips for part in parts], axis=1).ravel().tolist() == whole.flips.tolist()


def test_positions_do_not_depend_on_how_one_got_there():
    whole = order().draw(np.arange(500))
    later = order().draw(np.arange(317, 330))
    assert later.rows.tolist() == whole.rows[317:330].tolist()


def test_about_half_is_mirrored_anew_each_epoch():
    flips = order(groups=(16,) * 64).draw(np.arange(2048)).flips
    assert 0.4 < flips.mean() < 0.6
    assert flips[:1024].tolist() != flips[1024:].tolist()


def test_batches_mix_distant_row_groups():
    groups = (16,) * 512
    shuffled = order(groups=groups).draw(np.arange(1024)).rows // 16
    batches = [len(set(batch.tolist())) for batch in shuffled.reshape(-1, 8)]
    assert np.mean(batches) > 7.5


def test_a_worker_reads_only_its_lanes():
    groups = (16,) * 512
    whole = order(groups=groups)
    mine = np.concatenate([whole.draw(rank_positions(step, 8, 0, 4)).rows for step in range(512 * 16 // 8)])
    assert len(mine) == 512 * 16 // 4
    # A quarter of the groups, and those that a lane shares with its neighbour.
    assert len(set((mine // 16).tolist())) <= 512 // 4 + whole.used_lanes
