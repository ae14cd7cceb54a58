"""Procedural species: made-up animals with exact depth and true novel views, deterministic by seed.

An individual is a union of ellipsoids on a sloping ground before a wall, so every ray has a closed-form hit.
numpy only; frame, camera and depth are those of the rest of the method.
"""

from g3dr.procedural.config import ExampleId, ProceduralConfig
from g3dr.procedural.dataset import examples, make_example, write_folder
from g3dr.procedural.species import species_name

__all__ = ["ExampleId", "ProceduralConfig", "examples", "make_example", "species_name", "write_folder"]
