"""Intervals of reports cover the truth: a small simulation with fixed seeds (`python -m benchmarks.coverage` is the large one)."""

import pytest

from benchmarks.coverage import HIGHEST, LOWEST, coverage, main, row
from benchmarks.coverage_cases import DRAWS, Case, drawn_kernel_cases, mean_cases

pytestmark = pytest.mark.unit
KERNEL = {case.distribution: case for case in drawn_kernel_cases()}
MEANS = {(case.interval, case.distribution): case for case in mean_cases()}


@pytest.mark.parametrize("distribution", DRAWS)
@pytest.mark.parametrize("interval", ["mean over images", "mean over seeds"])
def test_intervals_of_means_cover(interval: str, distribution: str) -> None:
    assert LOWEST <= coverage(MEANS[interval, distribution], 25, 200) <= HIGHEST


@pytest.mark.parametrize("size", [10, 50])
@pytest.mark.parametrize("distribution", KERNEL)
def test_intervals_of_kid_cover(distribution: str, size: int) -> None:
    assert LOWEST <= coverage(KERNEL[distribution], size, 200) <= HIGHEST


def test_what_does_not_cover_is_marked() -> None:
    never = Case("none", "none", 1.0, lambda generator, size: (2.0, 3.0))
    assert row(never, [10], 5) == ("none", "none", "0.0% !")


def test_bad_input_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--repeats", "0"]) == 2
    assert "--repeats of 1 or more" in capsys.readouterr().err
