"""What a stage's clock counts: earlier tries that this one went on from, and nothing else."""

import pytest

from orchestrator.running.stages import seconds_before

pytestmark = pytest.mark.unit


def entries(*ids):
    return [{"run": name} for name in ids]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, ("a", "b"), 0.0),
        (("a", "b"), ("a", "b"), 61.5),  # was interrupted, or a run was tried again
        (("a",), ("a", "b"), 61.5),  # a search went on, or a seed was added
        (("a", "b"), ("c", "d"), 0.0),  # a setting was changed
        (("a", "b"), ("a",), 0.0),  # something was taken out
    ],
)
def test_time_counts_on_only_where_the_stage_went_on(before, now, expected):
    record = None if before is None else {"runs": entries(*before), "seconds": 61.5}
    assert seconds_before(record, entries(*now)) == expected
