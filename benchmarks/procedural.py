"""Drawing training data: examples of procedural species a second, on one process."""

import torch

from benchmarks.figures import Comparison, Figure, Result, Setting
from g3dr.procedural import ExampleId, ProceduralConfig, make_example


def _comparison(setting: Setting) -> Comparison:
    config = ProceduralConfig(resolution=setting.size(128, 16))
    chosen = [ExampleId(species, individual=0, split="train") for species in config.species]

    def ours() -> Result:
        return {"bytes": torch.tensor([len(make_example(config, example).image) for example in chosen])}

    return Comparison(ours, items=len(chosen))


FIGURES = (
    Figure(
        name="procedural",
        meaning="one training example of each of six species at 128 px, image and depth, encoded; no baseline, images a second",
        build=_comparison,
    ),
)
