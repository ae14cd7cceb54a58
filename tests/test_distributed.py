"""Two workers that share each batch learn what one learns from the whole."""

import pytest
from tiny_study import execution

from orchestrator.execution import Execution

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def shared(tiny_ledger, tmp_path_factory) -> Execution:
    """The study's first stage, computed by two Ray Train workers elsewhere."""
    folder = tmp_path_factory.mktemp("shared")
    made = execution(folder, str(folder / "root"), "stages=[{name: pretrain, kind: train, data: animals, workers: 2}]")
    made.run()
    return made


def test_two_workers_draw_the_loss_curve_of_one(shared, tiny_ledger):
    [run] = [entry["run"] for entry in tiny_ledger.stage("tiny", "pretrain")["runs"]]
    assert [entry["run"] for entry in shared.ledger.stage("tiny", "pretrain")["runs"]] == [run]
    one, two = tiny_ledger.metrics(run), shared.ledger.metrics(run)
    assert [row["step"] for row in two] == [row["step"] for row in one] == list(range(1, 9))
    for alone, together in zip(one, two, strict=True):
        numbers = {name: value for name, value in alone.items() if "seconds" not in name}
        assert {name: together[name] for name in numbers} == pytest.approx(numbers, rel=1e-4, abs=1e-6)
