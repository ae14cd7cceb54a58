"""The list of all figures, in the order of the table."""

from benchmarks import frames, ingest, procedural, train_render, train_step, unet
from benchmarks.figures import Figure

FIGURES: tuple[Figure, ...] = (
    *frames.FIGURES,
    *train_render.FIGURES,
    *unet.FIGURES,
    *train_step.FIGURES,
    *procedural.FIGURES,
    *ingest.FIGURES,
)


def figure_called(name: str) -> Figure:
    """Returns the figure of that name.

    Raises:
        KeyError: There is none.
    """
    return {figure.name: figure for figure in FIGURES}[name]
