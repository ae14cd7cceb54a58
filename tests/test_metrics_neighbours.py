"""Precision and recall against a direct loop, another implementation, and known cases."""

import pytest
import torch
from torch import Tensor

from g3dr.errors import DataError
from g3dr.metrics import FeatureStatistics, precision_recall

pytestmark = pytest.mark.unit


def statistics(features: Tensor, name: str, views: int = 1) -> FeatureStatistics:
    return FeatureStatistics(features, torch.ones(len(features), 1), tuple(f"{name}{index // views}" for index in range(len(features))))


def clouds(shift: float = 0.9, width: int = 4) -> tuple[FeatureStatistics, FeatureStatistics]:
    generator = torch.Generator().manual_seed(0)
    return statistics(torch.randn(40, width, generator=generator), "r"), statistics(
        torch.randn(30, width, generator=generator) * 0.7 + shift, "g"
    )


def share_within(judged: Tensor, region: Tensor, neighbours: int) -> float:
    """The definition, picture by picture."""
    hits = 0
    for picture in judged:
        for number, centre in enumerate(region):
            others = sorted(float((centre - other).norm()) for index, other in enumerate(region) if index != number)
            if float((centre - picture).norm()) <= others[neighbours - 1]:
                hits += 1
                break
    return hits / len(judged)


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_the_definition_picture_by_picture(neighbours: int) -> None:
    reference, generated = clouds()
    reference, generated = reference.select(torch.arange(25)), generated.select(torch.arange(20))
    found = precision_recall(reference, generated, neighbours)
    assert found.precision == pytest.approx(share_within(generated.features.double(), reference.features.double(), neighbours))
    assert found.recall == pytest.approx(share_within(reference.features.double(), generated.features.double(), neighbours))
    assert 0 < found.recall < 1


def test_agreement_with_torch_fidelity() -> None:
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    reference, generated = clouds(shift=0.4)
    precision, recall = calculate_precision_recall_full(generated.features.double(), reference.features.double(), 3, 10_000)
    found = precision_recall(reference, generated)
    assert (found.precision, found.recall) == pytest.approx((precision, recall), abs=1e-6)


def test_known_cases() -> None:
    reference, _ = clouds()
    same, far = statistics(reference.features, "g"), statistics(reference.features + 100, "g")
    assert (precision_recall(reference, same).precision, precision_recall(reference, same).recall) == (1, 1)
    assert (precision_recall(reference, far).precision, precision_recall(reference, far).recall) == (0, 0)
    one_sort = statistics(reference.features[:1] + 1e-3 * torch.randn(40, 4, generator=torch.Generator().manual_seed(1)), "g")
    found = precision_recall(reference, one_sort)
    assert found.precision == 1, "each looks real"
    assert found.recall <= 1 / 40, "and all the other real ones are missed"


def test_equal_pictures_reach_themselves_whatever_the_rounding() -> None:
    grey = torch.full((6, 3), 0.1) * 7
    found = precision_recall(statistics(grey, "r"), statistics(grey.clone(), "g"))
    assert (found.precision, found.recall) == (1, 1)


def test_views_of_one_object_are_no_neighbours() -> None:
    pairs = torch.tensor([[0.0], [1], [100], [101]])
    nearby = statistics(pairs + 5, "g")
    assert precision_recall(statistics(pairs, "r"), nearby, 1).precision == 0, "four objects: none is within 1 of another"
    assert precision_recall(statistics(pairs, "r", views=2), nearby, 1).precision == 1, "two objects: the nearest other one is far"


def test_an_object_is_no_hit_for_itself() -> None:
    row = torch.tensor([[0.0], [10], [20], [30], [40]])
    assert precision_recall(statistics(row, "a"), statistics(row - 3, "b"), 1).precision == 1
    assert precision_recall(statistics(row, "a"), statistics(row - 3, "a"), 1).precision == pytest.approx(4 / 5)


def test_too_few_objects_are_refused() -> None:
    reference, generated = clouds()
    with pytest.raises(DataError, match="3 neighbours need more source images than that in each set, got 3"):
        precision_recall(reference, generated.select(torch.arange(3)))
    with pytest.raises(DataError, match="0 neighbours"):
        precision_recall(reference, generated, 0)
