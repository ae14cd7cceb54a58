"""What is read, when, and how much of it: the plan behind the stream."""

from collections import Counter

import numpy as np
import pytest

from benchmarks import rehearsal
from orchestrator.shards.manifest import Shard
from orchestrator.shards.order import TrainingOrder
from orchestrator.shards.reading_plan import TrainingPlan, WholePlan
from orchestrator.shards.selection import RowGroups

pytestmark = pytest.mark.unit


def row_groups(*sizes, shards=5):
    """Shards of unlike row groups, as a packed dataset has them."""
    parts = np.array_split(np.asarray(sizes), shards)
    return RowGroups(
        tuple(
            Shard(f"{number}", "train", "ant", number, tuple(part.tolist()), bytes=1, sha256="", content="")
            for number, part in enumerate(parts)
        )
    )


def plan(groups, *, batch_size=8, rank=0, world_size=1, start_step=0, steps=100, **options):
    return TrainingPlan(groups, TrainingOrder(groups.sizes, "v", 0, **options), batch_size, rank, world_size, start_step, steps)


def all_reads(made):
    return [read for piece in range(made.pieces) for read in made.reads(piece)]


UNEVEN = row_groups(*[16, 3, 16, 16, 7, 1] * 6)


def test_row_groups_are_numbered_through_the_shards():
    assert [(group.shard.path, group.group, group.rows) for group in row_groups(4, 4, 1, 4, 2, shards=2)] == [
        ("0", 0, 4),
        ("0", 1, 4),
        ("0", 2, 1),
        ("1", 0, 4),
        ("1", 1, 2),
    ]
    with pytest.raises(IndexError):
        UNEVEN[len(UNEVEN)]


@pytest.mark.parametrize(("rank", "world_size"), [(0, 1), (1, 2), (3, 4), (7, 8)])
@pytest.mark.parametrize(("start_step", "steps"), [(0, 1), (0, 300), (43, 1), (44, 100), (1234, 77)])
def test_the_reads_are_the_rows_of_the_order(rank, world_size, start_step, steps, monkeypatch):
    monkeypatch.setattr("orchestrator.shards.reading_plan._PIECE_ROWS", 50)
    made = plan(UNEVEN, rank=rank, world_size=world_size, start_step=start_step, steps=steps)
    starts = np.cumsum(UNEVEN.sizes) - UNEVEN.sizes
    numbers = {group: number for number, group in enumerate(UNEVEN)}
    found = {}
    for read in all_reads(made):
        for offset, turn, flip in zip(read.offsets, read.turns, read.flips, strict=True):
            assert turn not in found
            found[int(turn)] = (int(starts[numbers[read.row_group]] + offset), bool(flip))
    expected = made.order.draw(np.arange(start_step * 8 + rank, (start_step + steps) * 8, world_size))
    assert [found[turn] for turn in sorted(found)] == list(zip(expected.rows.tolist(), expected.flips.tolist(), strict=True))


def test_no_steps_have_no_pieces():
    assert plan(UNEVEN, steps=0).pieces == 0
    assert plan(UNEVEN, steps=0).rows == 0


def test_a_tiny_set_has_epochs_without_a_row_for_some_worker():
    made = plan(row_groups(2, 1, shards=1), rank=3, world_size=8, steps=9)
    assert sum(len(read.offsets) for read in all_reads(made)) == 9


def test_a_long_training_has_few_pieces():
    assert plan(UNEVEN, steps=10**7).pieces == 1024
    large = plan(row_groups(*[16] * 4000), steps=10**7, world_size=2)
    assert large.pieces == 1024
    assert 10_000 < sum(len(read.offsets) for read in large.reads(511)) < 10**5


@pytest.mark.parametrize("world_size", [1, 2, 4, 8])
def test_all_workers_together_read_each_row_group_about_once_an_epoch(world_size):
    groups = row_groups(*[16] * 2048)
    steps = sum(groups.sizes) // 8
    reads = Counter()
    for rank in range(world_size):
        made = plan(groups, rank=rank, world_size=world_size, steps=steps)
        mine = Counter(read.row_group for read in all_reads(made))
        assert max(mine.values()) == 1
        reads += mine
    assert len(reads) == len(groups)
    # A lane shares its first and its last row group with its neighbours.
    assert reads.total() <= len(groups) + 64


def test_few_rows_wait_and_reading_is_even():
    groups = row_groups(*[16] * 4096)
    made = plan(groups, steps=sum(groups.sizes) // 8)
    reads = all_reads(made)
    before = np.cumsum([0, *(len(read.offsets) for read in reads)])[:-1]
    first_use = np.array([read.turns.min() for read in reads])
    waiting = before + 16 - first_use
    assert waiting.max() <= 64 * 64
    # Evenly, 32 row groups begin in 512 turns; lanes whose windows began together would ask for up to 240.
    begun = np.histogram(first_use[first_use >= 2048], bins=np.arange(2048, made.rows + 1, 512))[0]
    assert begun.max() < 64


def test_a_whole_plan_lists_all_rows_in_order():
    made = WholePlan(UNEVEN)
    reads = all_reads(made)
    assert np.concatenate([read.turns for read in reads]).tolist() == list(range(made.rows))
    assert [read.row_group for read in reads] == list(UNEVEN)
    assert not any(read.flips.any() for read in reads)


def test_imagenet_is_planned_in_little_memory_and_time(tmp_path):
    # A fiftieth of `make rehearse-imagenet`, which writes its figures in docs/performance.md.
    rehearsal.write_manifest(str(tmp_path), shards=20)
    figures = rehearsal._in_own_process("plan", tmp_path, 250_000, 2)
    assert figures["rows"] == 25_600
    assert figures["reads"] == 16
    assert figures["planning_cpu_s"] < 1
    assert figures["peak_megabytes"] < 250
