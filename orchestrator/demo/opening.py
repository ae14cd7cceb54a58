"""The demo put together: models, a studio, a line before it, and a server before that."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.demo.helpers import Helpers
from orchestrator.demo.line import Line
from orchestrator.demo.models import Model, choice
from orchestrator.demo.server import DemoServer, open_demo
from orchestrator.demo.site import DemoSite, Offer
from orchestrator.demo.studio import Studio
from orchestrator.store import Store
from orchestrator.viewing.server import ADDRESS

if TYPE_CHECKING:
    import torch

    from orchestrator.reconstruction import ReconstructionOptions

_SECONDS = 10.0


@contextmanager
def opened(
    root: Store,
    helpers: Helpers,
    options: "ReconstructionOptions",
    device: "torch.device",
    *,
    checkpoint: str | None = None,
    port: int | None = None,
    host: str = ADDRESS,
) -> Iterator[DemoServer]:
    """Opens the demo of a root while the context is entered; `serve_forever` of what it gives answers.

    Args:
        root: Where the models are.
        helpers: Who estimates depth, and who finds the object.
        options: How objects leave the model.
        device: Where it computes.
        checkpoint: The model to begin with, see `orchestrator.demo.models.choice`.
        port: See `open_demo`.
        host: See `open_demo`.

    Raises:
        CheckpointError: There is no model.
        ConfigError: The port or the host cannot be had.
    """
    first = choice(root, checkpoint)[0].name
    studio = Studio(root, helpers, options, device)
    line = Line(studio.reconstruct, lambda: studio.prepare(first))
    try:
        background = None if helpers.background is None else helpers.background.name
        offer = Offer(_lately(lambda: choice(root, checkpoint)), helpers.depth.name, background)
        with open_demo(DemoSite(offer, line), port, host) as server:
            yield server
    finally:
        line.close()


def _lately(read: Callable[[], Sequence[Model]]) -> Callable[[], Sequence[Model]]:
    """Reads at most every ten seconds: a root may be far away, and models come slowly."""
    known: tuple[float, Sequence[Model]] | None = None

    def models() -> Sequence[Model]:
        nonlocal known
        if known is None or time.monotonic() - known[0] > _SECONDS:
            known = (time.monotonic(), read())
        return known[1]

    return models
