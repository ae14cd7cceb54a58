"""One object: encoded once, rendered from all sides, measured."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from g3dr.backbones import Backbones, StageBackbone
from g3dr.cameras import orbit_poses
from g3dr.metrics.objective_values import objective_values
from g3dr.model import G3DR
from g3dr.types import Batch, NovelTruth
from orchestrator.computing.evaluation.meshes import MeshFile, mesh_file
from orchestrator.computing.evaluation.values import Values, canonical_values, novel_values, perceptual_values
from orchestrator.computing.evaluation.views import FRONTAL, Poses, Views
from orchestrator.computing.gallery import Exhibit


@dataclass(frozen=True)
class Networks:
    """The frozen networks that look at single objects.

    Attributes:
        perceptual: Of the perceptual distance; None leaves it out.
        objective: Those of the training's terms, to measure these too; None does not.
    """

    perceptual: StageBackbone | None = None
    objective: Backbones | None = None


@dataclass(frozen=True)
class Wanted:
    """What is made of one object besides its numbers.

    Attributes:
        exhibit: Pictures for the report.
        orbit_frames: Frames of its turning, if there are pictures; 0 for none.
        mesh: A GLB file.
        perceptual_views: Other views that the perceptual network looks at.
    """

    exhibit: bool = False
    orbit_frames: int = 0
    mesh: bool = False
    perceptual_views: int = 1


@dataclass(frozen=True)
class Measured:
    """One object after its evaluation.

    Attributes:
        key: Its key in the dataset.
        species: Its species.
        values: Its metrics by name.
        views: How many other views were rendered.
        exhibit: Its pictures for the report; None beyond the first few.
        mesh: Its mesh; None beyond the first few, or where nothing is solid.
    """

    key: str
    species: str
    values: Values
    views: int
    exhibit: Exhibit | None = None
    mesh: MeshFile | None = None


@dataclass(frozen=True)
class Look:
    """What the first novel view of an object looks like, for the distribution metrics, and what rendering it all took."""

    measured: Measured
    view: Tensor = field(repr=False)
    rendering_seconds: float = 0.0


@torch.inference_mode()
def look_at(model: G3DR, batch: Batch, truth: NovelTruth | None, poses: Poses, *, networks: Networks, wanted: Wanted) -> Look:
    """Renders and measures one object.

    Args:
        model: In evaluation mode.
        batch: The object's image and depth, on the model's device.
        truth: Its other views, if they are known.
        poses: The cameras that see it where they are not.
        networks: Which networks look at it.
        wanted: What else is made.
    """
    views = Views.of(model, batch)
    poses = poses if truth is None else (truth.yaw, truth.pitch)
    canonical, novel = views.at(FRONTAL, FRONTAL), views.at(*poses)
    values = canonical_values(canonical, batch)
    if truth is not None:
        values |= novel_values(novel, batch, truth)
    if networks.perceptual is not None:
        pictures = {} if truth is None else {"made": novel.rgb[: wanted.perceptual_views], "true": truth.rgb[: wanted.perceptual_views]}
        values |= perceptual_values(networks.perceptual, canonical.rgb, batch.images, **pictures)
    if networks.objective is not None:
        values |= objective_values(canonical, novel, batch, networks.objective)
    measured = Measured(
        batch.keys[0],
        batch.species[0],
        values,
        len(poses[0]),
        Exhibit.of(batch, canonical, novel, truth, _orbit(views, wanted.orbit_frames)) if wanted.exhibit else None,
        mesh_file(model, views.table, canonical, batch.keys[0]) if wanted.mesh else None,
    )
    return Look(measured, novel.rgb[0].clone(), views.seconds)


def _orbit(views: Views, frames: int) -> Tensor | None:
    return views.at(*orbit_poses(frames + 1)).rgb[:-1] if frames else None
