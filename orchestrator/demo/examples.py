"""Animals for whoever has no photograph at hand: drawn when the first page asks for them, never read from a disk."""

from functools import cache

from g3dr.procedural import ExampleId, ProceduralConfig, make_example
from g3dr.procedural.species import species_name

RESOLUTION = 192
# Of species and individuals that no experiment of ours trains on: those use seed 0 and 1.
SEED = 2026
_CHOSEN = ((0, 3), (1, 2), (2, 1), (3, 4), (4, 0), (5, 2))  # number of the species, of the individual


def example_names() -> list[str]:
    """Returns what the examples are called, such as `fish_01`."""
    return [species_name(species, SEED) for species, _ in _CHOSEN]


@cache
def example(name: str) -> bytes | None:
    """Draws an example; returns a PNG, or None where there is none of this name."""
    chosen = dict(zip(example_names(), _CHOSEN, strict=True)).get(name)
    if chosen is None:
        return None
    species, individual = chosen
    config = ProceduralConfig((species,), individuals=individual + 1, held_out=0, views=0, resolution=RESOLUTION, seed=SEED)
    return make_example(config, ExampleId(species, individual, "train")).image
