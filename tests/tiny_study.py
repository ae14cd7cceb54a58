"""A whole study in miniature for the tests that go end to end: all four kinds of stages, seconds instead of minutes."""

import json
from pathlib import Path

from orchestrator.experiment.loading import load_experiment
from orchestrator.ledger import Ledger
from orchestrator.running.execution import Execution

SPECIES, SWEEP, RECIPES = 2, 4, 3

TEXT = """\
name: tiny
data:
  animals: {procedural: {species: [0, 1], individuals: 12, held_out: 4, views: 2, resolution: 16}}

model:
  generator: {resolution: 16, width: 8, multipliers: [1, 2], position_channels: 4, features: 8, attention: false}
  renderer: {layout: perspective, decoder_width: 8, coarse_samples: 6, fine_samples: 6}

objective:
  clip: {weight: 0}
  perceptual: {weight: 0}
  pooled_rgb: {form: l1, weight: 1.0}

training: {steps: 8, batch_size: 4, rays_per_image: 64, learning_rate: 5e-3, log_every: 1, checkpoint_every: 2}
evaluation: {images: 8, orbit_frames: 3}

stages:
  - {name: pretrain, kind: train, data: animals}

  - name: loss_sweep
    kind: sweep
    data: animals
    from: pretrain
    axes: {objective.rgb.form: [l1, l2, smooth_l1, cosine]}
    search: {algorithm: grid, metric: novel_depth_rmse, mode: min}
    training: {steps: 4}

  - name: species
    kind: grid
    data: animals
    from: best of loss_sweep
    recipes: [pre_trained, fine_tuned, optimized]
    training: {steps: 4}

  - {name: unseen, kind: evaluate, data: animals, from: pretrain}
"""


def write_study(folder: Path) -> Path:
    """Writes the experiment file."""
    file = folder / "tiny.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def execution(folder: Path, root: str, *settings: str) -> Execution:
    """Returns the study on `root`, with `path=value` settings."""
    return Execution(load_experiment(write_study(folder), settings, root))


def summary(ledger: Ledger) -> dict:
    """Returns what the report wrote for programs."""
    return json.loads(ledger.store.read_bytes("reports/tiny/summary.json"))


def without_times(value):
    """Leaves out what two equal studies may differ in: the fields about time, and the commit, which is made while tests run."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if "seconds" not in key and key not in ("created", "git")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def records(ledger: Ledger) -> dict[str, bytes]:
    """Returns every file of every run by its path."""
    return {name: ledger.store.read_bytes(name) for name in ledger.store.list("runs")}
