"""What the tests of the renderer share: both forms of its decoding, and how near results must be."""

import pytest

from g3dr.render import compiled


@pytest.fixture(autouse=True, params=["compiled", "stock"])
def form(request, monkeypatch):
    """Every test runs with compiled loops and with operations of PyTorch."""
    if request.param == "stock":
        monkeypatch.setattr(compiled, "usable", lambda rows: False)
    else:
        pytest.importorskip("numba", reason="the compiled form needs Numba")


def assert_near(actual, expected, tolerance=2e-5):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()
