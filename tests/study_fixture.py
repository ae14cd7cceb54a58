"""A ledger of a loss study with made-up numbers: sweeps over seeds, a timing, a grid with seeds."""

import json
from zlib import crc32

import numpy as np
from ledger_fixture import SPECIES, JsonStore, evaluation, write_run, write_stage

from orchestrator.report.statistics import Interval

SEEDS = (0, 1, 2, 3)
FORMS = ("l1", "l2", "smooth_l1", "cosine")
EMBEDDING = "embedding(efficientnet-lite0)"


def noise(*key, scale=0.01):
    """Returns chance that depends on the key alone."""
    return float(np.random.default_rng(crc32(repr(key).encode())).normal(0, scale))


def interval(low, high, count=4):
    """Returns an interval of differences."""
    return Interval((low + high) / 2, low, high, count, 3)


def measured(run, metrics):
    """Returns an evaluation's record with these metrics."""
    record = evaluation(run, SPECIES, 2, gain=4.0, seed=1)
    record["metrics"] |= metrics
    return record


def write_declared(store, stages, experiment="study"):
    """Writes the experiment's record: stages by name and kind, and the settings that they start from."""
    store.write_json(
        f"experiments/{experiment}/experiment.json",
        {
            "name": experiment,
            "description": "",
            "data": {"animals": {"procedural": {}}},
            "objective": {
                "rgb": {"form": "l1", "weight": 1},
                "depth": {"form": "l1", "weight": 2},
                "clip": {"form": "l1", "weight": 0.35},
            },
            "stages": [{"name": name, "kind": kind} for name, kind in stages.items()],
            "git": {},
            "datasets": [],
        },
    )


def write_sweep(store, name, metrics_of, assignments, *, seeds=SEEDS, curve=None):
    """Writes a sweep stage.

    Args:
        store: The ledger.
        name: Of the stage.
        metrics_of: Function of an assignment and a seed that returns metrics.
        assignments: What was tried.
        seeds: With each.
        curve: Function of an assignment and a seed that returns logged rows.
    """
    runs = []
    for number, assignment in enumerate(assignments):
        for seed in seeds:
            run = f"{name[:8]}{number:02d}{seed:02d}".ljust(16, "0")
            entry = write_run(store, run, steps=50, record=measured(run, metrics_of(assignment, seed)), side=8)
            if curve is not None:
                rows = "".join(json.dumps(row) + "\n" for row in curve(assignment, seed))
                for path in list(store.list(f"runs/{run}/metrics")):
                    store.delete(path)
                store.write_bytes(f"runs/{run}/metrics/00000050.jsonl", rows.encode())
            runs.append(entry | {"seed": seed, "assignment": assignment, "label": f"{name} {number}, seed {seed}"})
    write_stage(store, "study", name, "sweep", runs)


def form_sweep(store, term, metrics_of, **options):
    """Writes a sweep over the forms of a term."""
    path = f"objective.{term}.form"
    write_sweep(store, f"{term}_form", lambda values, seed: metrics_of(values[path], seed), [{path: form} for form in FORMS], **options)


def write_timing(store, seconds, name="step_time"):
    """Writes a timing stage: recipe (a form) to the seconds of every round."""
    run = "timing0000000000"
    objective = {term: {"form": None, "weight": 1} for term in ("rgb", "depth", "clip")}
    recipes = [{"name": form, "objective": {term: {"form": form, "weight": 1} for term in objective}} for form in seconds]
    record = {
        "id": "etiming",
        "run": run,
        "kind": "timing",
        "spec": {"recipes": recipes, "rounds": len(next(iter(seconds.values())))},
        "seconds": seconds,
        "metrics": {f"{form}_seconds_per_step": float(np.median(column)) for form, column in seconds.items()},
    }
    entry = write_run(store, run, steps=0)
    store.write_json(f"runs/{run}/evaluations/etiming.json", record)
    write_stage(store, "study", name, "timing", [entry | {"evaluation": "etiming"}])


def write_grid(store, variation_of, *, seeds=SEEDS, name="species", classes_of=None, shift_of=lambda recipe: 0.0):
    """Writes a grid of species and recipes; `variation_of` a recipe, a species and a seed is the total variation."""
    runs = []
    for species in SPECIES:
        for recipe in ("pre_trained", "fine_tuned", "optimized"):
            for seed in seeds if recipe != "pre_trained" else seeds[:1]:
                run = f"g{species[:6]}{recipe[:4]}{seed}".ljust(16, "0")
                record = evaluation(run, [species], 8, gain=4.0, shift=shift_of(recipe), seed=3)
                record["metrics"]["loss_tv_l2"] = variation_of(recipe, species, seed)
                if classes_of is not None:
                    record["classes"] = classes_of(recipe, species, seed)
                entry = write_run(store, run, steps=0 if recipe == "pre_trained" else 50, record=record, side=8)
                runs.append(entry | {"species": species, "recipe": recipe, "seed": seed, "label": f"{species}, {recipe}"})
    write_stage(store, "study", name, "grid", runs)


__all__ = [
    "EMBEDDING",
    "FORMS",
    "SEEDS",
    "JsonStore",
    "form_sweep",
    "measured",
    "noise",
    "write_declared",
    "write_grid",
    "write_sweep",
    "write_timing",
]
