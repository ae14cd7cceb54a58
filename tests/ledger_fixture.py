"""A synthetic ledger with realistic values, as finished runs would have left it."""

import json
from functools import cache

import numpy as np
import trimesh
from safetensors.numpy import save

from g3dr.export.mesh import Mesh
from g3dr.export.mesh_files import glb
from g3dr.export.surface import Surface
from orchestrator.store import FolderStore

SIDE = 32
SPECIES = ["fish_01", "bird_03", "beetle_04"]
RECIPES = ["pre_trained", "fine_tuned", "optimized"]
EXTRACTOR = {"name": "efficientnet-lite0", "sha256": "5a1c" * 16}


class JsonStore(FolderStore):
    """A store in a folder, with JSON."""

    def write_json(self, path, value):
        self.write_bytes(path, json.dumps(value).encode())

    def read_json(self, path):
        return json.loads(self.read_bytes(path))


def ball(color, turn=0.0, side=SIDE):
    """Draws a striped ball above ground, turned by `turn` radians, and its depth."""
    x, y = np.meshgrid(np.linspace(-1, 1, side), np.linspace(1, -1, side))
    inside = x**2 + y**2 < 0.5
    height = np.sqrt(np.clip(0.5 - x**2 - y**2, 0, None))
    stripes = (np.sin(6 * (np.arctan2(x, height + 1e-6) + turn)) > 0)[..., None]
    shade = np.clip(0.35 + 0.65 * (0.4 * x + 0.5 * y + height) / 0.9, 0.1, 1)[..., None]
    ground = np.where(y[..., None] < -0.45, np.array([0.55, 0.5, 0.42]), np.array([0.36, 0.4, 0.48])) * (1 - 0.2 * np.abs(x[..., None]))
    rgb = np.where(inside[..., None], np.where(stripes, color, 1 - np.array(color)) * shade, ground)
    return (rgb * 255).astype(np.uint8), np.where(inside, 5 - height, 5.9 - 0.8 * (y < -0.45) * (-0.45 - y)).astype(np.float32)


def pictures(keys, species, *, truth, side=SIDE):
    """Returns the picture file of an evaluation."""
    return save(dict(_arrays(len(keys), truth, side)), {"keys": json.dumps(keys), "species": json.dumps(species)})


@cache
def _arrays(count, truth, side, frames=12):
    generator = np.random.default_rng(count)
    colors = generator.random((count, 3))
    arrays: dict[str, list] = {"input": [], "canonical": [], "novel": [], "depth": [], "depth_truth": [], "novel_depth": [], "orbit": []}
    if truth:
        arrays["novel_truth"] = []
    for color in colors:
        image, depth = ball(color, side=side)
        novel, novel_depth = ball(color, 0.3, side)
        noise = generator.normal(0, 6, image.shape)
        arrays["input"].append(image)
        arrays["canonical"].append((image + noise).clip(0, 255).astype(np.uint8))
        arrays["novel"].append((novel + 2 * noise).clip(0, 255).astype(np.uint8))
        arrays["depth"].append(depth + generator.normal(0, 0.05, depth.shape).astype(np.float32))
        arrays["depth_truth"].append(depth)
        arrays["novel_depth"].append(novel_depth)
        arrays["orbit"].append([ball(color, 0.5 * np.sin(2 * np.pi * frame / frames), side)[0] for frame in range(frames)])
        if truth:
            arrays["novel_truth"].append(novel)
    return {name: np.stack([np.asarray(value) for value in values]) for name, values in arrays.items()}


def evaluation(run, species, per_species, *, gain, truth=True, shift=0.0, seed=0):
    """Returns the record of an evaluation whose novel views are `gain` dB better than the copied input."""
    generator = np.random.default_rng(seed)
    keys = [f"{name}/{index:04d}" for name in species for index in range(per_species)]
    count = len(keys)
    copy = generator.normal(20.4, 1.5, count)
    changes = np.random.default_rng(round(1000 * abs(shift)) + 7)
    columns = {
        "canonical_psnr": generator.normal(31, 1.2, count) + changes.normal(shift, 0.4, count),
        "depth_rmse": np.abs(generator.normal(0.14, 0.02, count) + changes.normal(-shift * 0.02, 0.01, count)),
    }
    if truth:
        columns |= {"copy_input_psnr": copy, "novel_psnr": copy + gain + generator.normal(0, 1.1, count) + changes.normal(0, 0.4, count)}
    means = {name: float(values.mean()) for name, values in columns.items()}
    metrics = means | {
        "canonical_ssim": 0.93,
        "depth_l2_normalized": 0.21 - shift * 0.01,
        "nfs": 30.2 + shift,
        "nfs_truth": 33.4,
        "fd": 88.1 - shift,
        "fd_floor": 61.2,
        "kid": 0.412 - shift * 0.05,
        "kid_low": 0.351 - shift * 0.05,
        "kid_high": 0.480 - shift * 0.05,
        "kid_floor": 0.011,
        "distribution_images": count,
        "inception_score": 3.1,
    }
    if truth:
        metrics |= {"novel_depth_rmse": 0.171, "copy_input_depth_rmse": 0.264, "novel_psnr_in_box": 23.7, "novel_psnr_foreground": 21.9}
    names = [key.rsplit("/", 1)[0] for key in keys]
    by_species = {
        name: {
            metric: float(np.mean([value for value, owner in zip(values, names, strict=True) if owner == name]))
            for metric, values in columns.items()
        }
        for name in species
    }
    return {
        "id": f"e{run}",
        "run": run,
        "spec": {"data": {"split": "test", "version": "d41d8cd98f00b204"}, "images": count},
        "images": count,
        "views": 4,
        "extractor": EXTRACTOR,
        "metrics": metrics,
        "per_image": {"key": keys, "species": names, **{name: values.tolist() for name, values in columns.items()}},
        "per_species": by_species,
    }


def write_run(files, run, *, state="finished", steps=1000, forms=("l1", "l1"), record=None, truth=True, error=None, side=SIDE):
    """Writes a run with its curve in two parts and, if there is a record, its evaluation with pictures."""
    files.write_json(f"runs/{run}/spec.json", {"training": {"steps": steps}, "data": {"version": "d41d8cd98f00b204"}})
    files.write_json(
        f"runs/{run}/status.json",
        {"state": state, "step": steps, "seconds": steps * 0.124, "seconds_per_step": 0.124 if steps else 0.0, "error": error},
    )
    generator = np.random.default_rng(steps + len(forms[0]))
    scale = {"l1": 1.0, "l2": 0.2, "smooth_l1": 0.4, "cosine": 0.1}
    rows = []
    for step in range(25, steps + 1, 25):
        rgb, depth = ((0.08 + 0.5 * np.exp(-step / (steps / 4))) * scale[form] * generator.normal(1, 0.07) for form in forms)
        rows.append({"step": step, "loss": rgb + 2 * depth, "rgb": rgb, "depth": depth, "tv": 0.01 * depth, "seconds_per_step": 0.124})
    for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        if part:
            files.write_bytes(f"runs/{run}/metrics/{part[-1]['step']:08d}.jsonl", "".join(json.dumps(row) + "\n" for row in part).encode())
    if record:
        files.write_json(f"runs/{run}/evaluations/{record['id']}.json", record)
        keys, species = record["per_image"]["key"][:4], record["per_image"]["species"][:4]
        files.write_bytes(f"runs/{run}/evaluations/{record['id']}.safetensors", pictures(keys, species, truth=truth, side=side))
    return {
        "run": run,
        "evaluation": record["id"] if record else None,
        "state": state,
        "seed": 0,
        "assignment": {},
        "species": None,
        "recipe": None,
        "label": run,
    }


def write_stage(files, experiment, name, kind, runs, **fields):
    """Writes what a stage consists of."""
    stage = {"name": name, "kind": kind, "seconds": 61.5, "runs": runs, "best": None, "metric": None, "mode": None}
    files.write_json(f"experiments/{experiment}/stages/{name}.json", stage | fields)


def _sweep(files, truth, per_species, side):
    entries = []
    for rgb in ("l1", "l2", "smooth_l1", "cosine"):
        for depth in ("l1", "smooth_l1"):
            run = f"t{rgb}{depth}".ljust(16, "0")
            failed = (rgb, depth) == ("cosine", "smooth_l1")
            record = None if failed else evaluation(run, SPECIES, per_species, gain=4.6, truth=truth, seed=len(run))
            entry = write_run(
                files, run, state="failed" if failed else "finished", steps=100, forms=(rgb, depth), record=record, truth=truth, side=side,
                error="the loss became infinite at step 51 (keys fish_01/0007)" if failed else None,
            )  # fmt: skip
            entries.append(
                entry | {"label": f"rgb {rgb}, depth {depth}", "assignment": {"objective.rgb.form": rgb, "objective.depth.form": depth}}
            )
    return entries


def _grid(files, truth, per_species, side):
    entries = []
    for index, species in enumerate(SPECIES):
        for place, recipe in enumerate(RECIPES):
            run = f"g{species}{recipe}".ljust(24, "0")
            shift = (0.0, 0.9, 1.1)[place] if index else (0.0, 0.02, -0.03)[place]
            record = evaluation(run, [species], per_species, gain=4.1 + shift, truth=truth, shift=shift, seed=index)
            entry = write_run(files, run, steps=0 if recipe == "pre_trained" else 100, record=record, truth=truth, side=side)
            entries.append(entry | {"label": f"{species} {recipe}", "species": species, "recipe": recipe})
    return entries


def write_ledger(
    files, experiment="study", *, truth=True, per_species=12, description="Pretraining, a loss sweep and a species grid.", side=SIDE
):
    """Writes a whole experiment: train, sweep, grid, evaluate."""
    kinds = {"pretrain": "train", "loss_sweep": "sweep", "species": "grid", "unseen": "evaluate"}
    files.write_json(
        f"experiments/{experiment}/experiment.json",
        {
            "name": experiment,
            "description": description,
            "data": {"animals": {"procedural": {"species": [0, 1, 2]}} if truth else {"folder": {"path": "photos"}}},
            "stages": [{"name": name, "kind": kind} for name, kind in kinds.items()],
            "git": {"commit": "3063463aa01b2c4d", "dirty": False},
            "datasets": [{"name": "animals", "uri": "datasets/animals-0f0f0f0f", "version": "d41d8cd98f00b204", "rows": 368}],
        },
    )
    record = evaluation("pretrained000000", SPECIES, per_species, gain=5.1, truth=truth, seed=9)
    pretrained = write_run(files, "pretrained000000", record=record, truth=truth, side=side)
    sweep = _sweep(files, truth, per_species, side)
    write_stage(files, experiment, "pretrain", "train", [pretrained | {"label": "pretrain"}])
    write_stage(
        files,
        experiment,
        "loss_sweep",
        "sweep",
        sweep,
        best=sweep[2]["run"],
        metric="novel_depth_rmse" if truth else "depth_rmse",
        mode="min",
    )
    write_stage(files, experiment, "species", "grid", _grid(files, truth, per_species, side))
    write_stage(files, experiment, "unseen", "evaluate", [pretrained | {"label": "pretrain"}])


def add_meshes(files, run, count=2):
    """Gives the evaluation of a run turning balls, one half of each light and the other dark."""
    path = f"runs/{run}/evaluations/e{run}.json"
    record, meshes = files.read_json(path), []
    for index, key in enumerate(record["per_image"]["key"][:count]):
        ball_mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.7)
        vertices, triangles = ball_mesh.vertices.astype(np.float32), ball_mesh.faces.astype(np.int32)
        colors = np.where(vertices[:, 2:] < 0.2 * index, [[230, 150, 60]], [[30, 70, 120]]).astype(np.uint8)
        data = glb(Mesh(Surface(vertices, triangles), colors))
        files.write_bytes(f"runs/{run}/evaluations/e{run}/meshes/{index}.glb", data)
        meshes.append({"key": key, "file": f"meshes/{index}.glb", "bytes": len(data), "triangles": len(triangles)})
    files.write_json(path, record | {"meshes": meshes})


def add_steps(files, run, steps=(100, 300, 500, 700, 1000)):
    """Leaves what a run's continuous evaluation measured."""
    for step in steps:
        left = np.exp(-step / 400)
        metrics = {"kid": 0.4 + left, "inception_score": 3.1 - left, "nfs": 30 - 8 * left, "novel_psnr": 25 - 6 * left, "fd": 90}
        record = {"step": step, "images": 12, "views": 4, "metrics": metrics, "seconds": 2.1}
        files.write_json(f"runs/{run}/evaluations/e{run}/steps/{step:08d}.json", record)
