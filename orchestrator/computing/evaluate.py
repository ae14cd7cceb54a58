"""Checkpoint to numbers: renders held-out objects from known and unknown sides and measures them.

What the metrics mean is in `g3dr.metrics`; this module decides what is compared with what.

- canonical: the input view, against the input image and depth.
- novel: other views, against their truth where the data has it; else they count for the distribution metrics alone.
- copy_input: the input image shown in place of every novel view, the answer that any model must beat.
- fd, kid: one novel view of each object against as many real images of other objects (`distribution.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from g3dr.backbones import FeatureExtractor, load_extractor
from g3dr.cameras import orbit_poses
from g3dr.errors import CheckpointError
from g3dr.metrics import FeatureStatistics, Mean, depth_l2_normalized, depth_rmse, distribution_report, flatness, halved, psnr, ssim
from g3dr.model import G3DR
from g3dr.render import NodeTable
from g3dr.training.checkpoint import load_model
from g3dr.types import Batch, Frames, NovelTruth
from g3dr.views import render_poses
from orchestrator.computing.gallery import Exhibit, pack_exhibits
from orchestrator.ledger import Ledger
from orchestrator.runs import EvaluationSpec, RunRequest
from orchestrator.shards.decoding import DecodedRows
from orchestrator.shards.loading import load_rows
from orchestrator.shards.selection import Selection

SHOWN_OBJECTS = 8
UNKNOWN_VIEWS = 4
UNKNOWN_YAW, UNKNOWN_PITCH = 0.3, 0.1
SMALLEST_DISTRIBUTION = 4
FRONTAL = torch.tensor([torch.pi / 2])

Values = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """One object after its evaluation.

    Attributes:
        key: Its key in the dataset.
        species: Its species.
        values: Its metrics by name.
        image: The input picture, in [-1, 1].
        view: One novel view of it, for the distribution metrics.
        exhibit: Its pictures for the report; None beyond the first few.
    """

    key: str
    species: str
    values: Values
    image: Tensor
    view: Tensor
    exhibit: Exhibit | None


def evaluate_run(request: RunRequest, ledger: Ledger, device: torch.device) -> dict[str, Any]:
    """Measures a run as `request.evaluation` says and writes the record to the ledger.

    Raises:
        CheckpointError: The run has no readable checkpoint.
        DataError: The dataset is missing or damaged.
    """
    spec, selection = request.evaluation, request.evaluation_selection
    if spec is None or selection is None:
        raise CheckpointError(f"run {request.spec.id} asks for no evaluation")
    model = _trained_model(request, ledger).to(device).eval()
    rows = load_rows(selection, model.config.generator.resolution)
    measured = list(measure_objects(model, rows, spec, device))
    extractor = _extractor(spec.extractor, str(device))
    metrics = {**averages(measured), **_distribution(measured, selection, spec, extractor, str(device))}
    record = {
        "id": spec.id,
        "run": request.spec.id,
        "spec": spec.to_json(),
        "images": len(measured),
        "views": max((len(rows.views[index]) for index in range(len(rows))), default=0) or UNKNOWN_VIEWS,
        "extractor": {"name": extractor.name, "sha256": extractor.sha256, "resize": extractor.resize},
        "metrics": metrics,
        "per_image": _columns(measured),
        "per_species": {name: averages(group) for name, group in _by_species(measured).items()},
    }
    ledger.write_evaluation(request.spec.id, spec.id, record, pack_exhibits([item.exhibit for item in measured if item.exhibit]))
    return record


def _trained_model(request: RunRequest, ledger: Ledger) -> G3DR:
    checkpoint = ledger.latest_checkpoint(request.spec.id, optimizer=False)
    if checkpoint is None:
        raise CheckpointError(f"run {request.spec.id} has no readable checkpoint: `g3dr run` the experiment again")
    model = G3DR.blank(request.spec.model)
    load_model(model, checkpoint.model, f"run {request.spec.id}")
    return model


def spread(species: Sequence[str], count: int) -> list[int]:
    """Returns up to `count` row numbers, taking species in turn, so that a part of the rows has all of them."""
    seen: dict[str, int] = {}
    order = []
    for index, name in enumerate(species):
        order.append((seen.get(name, 0), name, index))
        seen[name] = seen.get(name, 0) + 1
    return [index for _, _, index in sorted(order)[:count]]


def measure_objects(
    model: G3DR, rows: DecodedRows, spec: EvaluationSpec, device: torch.device, *, shown: int = SHOWN_OBJECTS
) -> Iterator[Measured]:
    """Renders and measures the objects of an evaluation one by one; the first `shown` get pictures for the report."""
    generator = np.random.default_rng(spec.seed)
    for number, index in enumerate(spread(rows.species, spec.images)):
        batch = rows.batch([index]).to(device)
        with torch.inference_mode():
            table = model.encode(batch.images, batch.depths, model.condition(batch.images, batch.species))
        truth = _some_views(rows.novel_truth(index), spec.views)
        poses = (truth.yaw, truth.pitch) if truth else _unknown_poses(spec.views or UNKNOWN_VIEWS, generator)
        views = _Views(model, table, batch.images.shape[-1])
        yield _measure(views, batch, truth, poses, orbit_frames=spec.orbit_frames if number < shown else None)


@dataclass(frozen=True)
class _Views:
    """Renders one encoded object."""

    model: G3DR
    table: NodeTable
    resolution: int

    def at(self, yaw: Tensor, pitch: Tensor) -> Frames:
        return render_poses(self.model, self.table, yaw, pitch, self.resolution)


def _measure(views: _Views, batch: Batch, truth: NovelTruth | None, poses: tuple[Tensor, Tensor], orbit_frames: int | None) -> Measured:
    canonical, novel = views.at(FRONTAL, FRONTAL), views.at(*poses)
    values = {**_canonical_values(canonical, batch), **(_novel_values(novel, batch, truth) if truth else {})}
    orbit = views.at(*orbit_poses(orbit_frames + 1)).rgb[:-1] if orbit_frames else None
    exhibit = Exhibit.of(batch, canonical, novel, truth, orbit) if orbit_frames is not None else None
    return Measured(batch.keys[0], batch.species[0], values, batch.images[0].cpu(), novel.rgb[0].cpu(), exhibit)


def _some_views(truth: NovelTruth | None, count: int | None) -> NovelTruth | None:
    if truth is None or count is None:
        return truth
    return NovelTruth(**{name: getattr(truth, name)[:count] for name in NovelTruth.__dataclass_fields__}) if count else None


def _unknown_poses(count: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    offsets = torch.from_numpy(generator.uniform(-1, 1, (2, count))).float()
    return FRONTAL + UNKNOWN_YAW * offsets[0], FRONTAL + UNKNOWN_PITCH * offsets[1]


def _canonical_values(frames: Frames, batch: Batch) -> Values:
    return {
        "canonical_psnr": float(psnr(frames.rgb, batch.images)),
        "canonical_ssim": float(ssim(frames.rgb, batch.images)),
        "depth_rmse": float(depth_rmse(frames.depth, batch.depths)),
        "depth_l2_normalized": float(depth_l2_normalized(frames.depth, batch.depths)),
        "nfs": float(flatness(frames.depth)),
        "nfs_truth": float(flatness(batch.depths)),
    }


def _novel_values(frames: Frames, batch: Batch, truth: NovelTruth) -> Values:
    """Averages over the views of one object; a mask that is empty in a view leaves that view out."""
    views = len(truth.yaw)
    rgb, depth = truth.rgb.to(frames.rgb.device), truth.depth.to(frames.rgb.device)
    masks = {"": truth.covisible, "_in_box": truth.in_box, "_foreground": truth.foreground}
    copied = {"novel": frames.rgb, "copy_input": batch.images.expand(views, -1, -1, -1)}
    values = {
        f"{who}_psnr{where}": psnr(picture, rgb, mask.to(rgb.device)) for who, picture in copied.items() for where, mask in masks.items()
    }
    in_box = truth.in_box.to(rgb.device)
    values["novel_depth_rmse"] = depth_rmse(frames.depth, depth, in_box)
    values["copy_input_depth_rmse"] = depth_rmse(batch.depths.expand(views, -1, -1, -1), depth, in_box)
    known = {name: Mean.of(value).value for name, value in values.items()}
    return {name: value for name, value in known.items() if value is not None}


def averages(measured: Iterable[Measured]) -> Values:
    """Returns the mean of every metric over the objects that have it."""
    columns: dict[str, list[float]] = {}
    for item in measured:
        for name, value in item.values.items():
            columns.setdefault(name, []).append(value)
    return {name: float(np.mean(np.asarray(column, dtype=np.float64))) for name, column in columns.items()}


def _by_species(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    return {name: [item for item in measured if item.species == name] for name in sorted({item.species for item in measured})}


def _columns(measured: Sequence[Measured]) -> dict[str, list[Any]]:
    names = sorted({name for item in measured for name in item.values})
    columns: dict[str, list[Any]] = {name: [item.values.get(name) for item in measured] for name in names}
    return {"key": [item.key for item in measured], "species": [item.species for item in measured], **columns}


def _distribution(
    measured: Sequence[Measured], selection: Selection, spec: EvaluationSpec, extractor: FeatureExtractor, device: str
) -> Mapping[str, float]:
    """Compares one novel view per object with real pictures of other objects; nothing where there are too few."""
    if len(measured) < SMALLEST_DISTRIBUTION:
        return {}
    resolution, generator = measured[0].image.shape[-1], torch.Generator().manual_seed(spec.seed)
    inputs = _real_features(selection, spec.images, spec.extractor, resolution, device)
    made = FeatureStatistics.of(extractor.extract(torch.stack([item.view for item in measured]).to(device)), inputs.sources)
    others = _others(selection)
    reference = _real_features(others, len(measured), spec.extractor, resolution, device) if others else None
    if reference is not None and len(reference.unique_sources()) >= SMALLEST_DISTRIBUTION:
        report = distribution_report(reference, inputs, made, generator)
    elif len(measured) >= 2 * SMALLEST_DISTRIBUTION:
        report = distribution_report(*halved(inputs, made, generator), generator)
    else:
        return {}
    names = ("fd", "fd_floor", "kid", "kid_low", "kid_high", "kid_floor", "inception_score")
    return {**{name: getattr(report, name) for name in names}, "distribution_images": report.sources}


def _others(selection: Selection) -> Selection | None:
    """Returns the training split of the same species; None where it lacks one, or is itself what is measured."""
    known = set(selection.manifest().species("train"))
    if selection.split == "train" or not known or not known.issuperset(selection.species or ()):
        return None
    return Selection(selection.dataset, selection.version, "train", selection.species)


@lru_cache(maxsize=16)
def _real_features(selection: Selection, images: int, extractor: str, resolution: int, device: str) -> FeatureStatistics:
    """Returns the features of the real pictures that `spread` chooses; kept for the next run of this process."""
    rows = load_rows(selection, resolution, views=False)
    batch = rows.batch(spread(rows.species, images))
    extraction = _extractor(extractor, device).extract(batch.images.to(device))
    return FeatureStatistics.of(extraction, list(batch.keys))


def _extractor(name: str, device: str) -> FeatureExtractor:
    return load_extractor(name, device)  # type: ignore[arg-type]  # checked in the settings
