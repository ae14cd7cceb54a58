"""Setting up compiles every loop that is kept on disk, with the types that a training uses."""

import pytest

pytest.importorskip("numba")

from numba.core.caching import NullCache

from g3dr.render import compiled, compiled_rays
from g3dr.render.precompiling import compile_loops

pytestmark = pytest.mark.numeric
FILES = ("kernels", "sampling_kernels", "compositing_kernels")


def test_every_kept_loop_runs_forward_and_back(monkeypatch):
    kept = {
        name
        for file in FILES
        for name, loop in vars(compiled.loops(file)).items()
        if not isinstance(getattr(loop, "_cache", NullCache()), NullCache)
    }
    run, called = compiled.in_threads, set()

    def noting(task, calls):
        called.add(task.__name__)
        run(task, calls)

    for module in (compiled, compiled_rays):
        monkeypatch.setattr(module, "in_threads", noting, raising=False)
    compile_loops()
    assert called == kept
    assert kept
    assert all(
        len(getattr(compiled.loops(file), name).signatures) == 1 for file in FILES for name in kept & vars(compiled.loops(file)).keys()
    )
