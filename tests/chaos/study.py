"""The experiment that is disturbed: a distributed training, a search with Optuna, and a grid; steps that can be killed in the middle."""

from dataclasses import dataclass
from pathlib import Path

from chaos.injector import DISTRIBUTED, INLINE, Phase

TEXT = """\
name: chaos
data:
  animals: {{procedural: {{species: [0, 1], individuals: 12, held_out: 4, views: 2, resolution: 16}}}}

model:
  generator: {{resolution: 16, width: 8, multipliers: [1, 2], position_channels: 4, features: 8, attention: false}}
  renderer: {{layout: perspective, decoder_width: 8, coarse_samples: 6, fine_samples: 6}}

objective:
  clip: {{weight: 0}}
  perceptual: {{weight: 0}}
  pooled_rgb: {{form: l1, weight: 1.0}}

training: {{steps: {train}, batch_size: 2, rays_per_image: 16, learning_rate: 5e-3, log_every: {cadence}, checkpoint_every: {saves}}}
evaluation: {{images: 4, orbit_frames: 2}}

stages:
"""

STAGES = {
    "pair": """\
  - {{name: pair, kind: train, data: animals, workers: 2, min_workers: {least}}}
""",
    "search": """\
  - name: search
    kind: sweep
    data: animals
    from: pair
    axes: {{objective.rgb.form: [l1, l2, smooth_l1, cosine], training.learning_rate: {{log_uniform: [1e-4, 1e-2]}}}}
    search: {{algorithm: optuna, trials: {trials}, batch: {batch}, metric: novel_depth_rmse, mode: min, seed: 3}}
    training: {{steps: {sweep}}}
""",
    "cells": """\
  - name: cells
    kind: grid
    data: animals
    from: best of search
    recipes: [fine_tuned, optimized]
    training: {{steps: {grid}}}
""",
}
CELLS = 4
"""Two species with two recipes."""


@dataclass(frozen=True)
class Study:
    """How long the stages are.

    Attributes:
        train: Steps of the distributed training; 0 leaves it out.
        sweep: Steps of each trial of the search; 0 leaves it out, and the grid with it.
        grid: Steps of each of the four cells of the grid; 0 leaves it out.
        trials: Trials of the search.
        batch: Of them that are proposed at the same time.
        cadence: Steps from one report to the next, and from one checkpoint to the next.
        saves: Steps from one checkpoint to the next, if that is not `cadence`.
        least: Of the two workers of the distributed training, as few go on while a node is missing.
    """

    train: int = 40
    sweep: int = 40
    grid: int = 40
    trials: int = 4
    batch: int = 2
    cadence: int = 5
    saves: int = 0
    least: int = 2

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The stages in their order."""
        pair, search = Phase("pair", self.train, DISTRIBUTED), Phase("search", self.trials * self.sweep, INLINE)
        return tuple(phase for phase in (pair, search, Phase("cells", CELLS * self.grid, INLINE)) if phase.steps)

    def write(self, folder: Path) -> Path:
        """Writes the experiment file."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "chaos.yaml"
        text = TEXT + "".join(STAGES[phase.name] for phase in self.phases)
        if not self.train:
            text = text.replace("    from: pair\n", "")
        file.write_text(text.format(**{**vars(self), "saves": self.saves or self.cadence}), encoding="utf-8")
        return file
