"""The six sets of the faulty evaluation come out in the right order; the recipe behind published nonsense cannot tell them apart."""

import pytest
import torch

from benchmarks.faulty import Row, main, measured, miscast

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """Real features of 16 small pictures in each set."""
    names = ("same", "dimmed", "blurred", "other", "noise", "black")
    return dict(zip(names, measured(16, 32), strict=True))


def test_the_same_pictures_are_as_good_as_real_ones_and_a_thousandth_less_light_changes_nothing(rows: dict[str, Row]) -> None:
    same, dimmed = rows["same"].right, rows["dimmed"].right
    assert same.fd == same.fd_floor
    assert same.kid_low < 0 < same.kid_high
    assert dimmed.fd == pytest.approx(same.fd, rel=0.02)
    assert abs(dimmed.kid - same.kid) < 0.1 * (same.kid_high - same.kid_low)
    assert same.precision >= 0.6
    assert same.recall >= 0.6


def test_everything_else_is_worse_in_the_right_order(rows: dict[str, Row]) -> None:
    for worse in ("blurred", "other", "noise", "black"):
        assert rows[worse].right.kid_low > rows["dimmed"].right.kid_high, worse
        assert rows[worse].right.fd > 1.2 * rows["dimmed"].right.fd, worse
    for unlike in ("noise", "black"):
        for picture in ("blurred", "other"):
            assert rows[unlike].right.kid > rows[picture].right.kid
            assert rows[unlike].right.fd > rows[picture].right.fd
    for unlike in ("noise", "black"):
        assert rows[unlike].right.precision == rows[unlike].right.recall == 0


def test_the_faulty_recipe_cannot_tell(rows: dict[str, Row]) -> None:
    assert rows["same"].saturated < 0.1, "nearly every value becomes 0"
    assert rows["dimmed"].faulty.fd == pytest.approx(rows["noise"].faulty.fd, rel=1e-6), "noise is as good as the pictures x 0.999"
    assert rows["blurred"].faulty.inception_score < 1.01


def test_the_cast() -> None:
    cast = (miscast(torch.tensor([-1.0, -0.999, -0.5, 0, 0.5, 0.999, 1])) + 1) * 127.5
    assert cast.round().tolist() == [255, 0, 0, 0, 0, 0, 1]


def test_bad_input_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "3"]) == 2
    assert "4 or more pictures" in capsys.readouterr().err
