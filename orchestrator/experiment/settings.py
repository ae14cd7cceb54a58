"""What a run is configured with: the dataclasses of g3dr side by side, and changes laid over them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from g3dr.config import ModelConfig, ObjectiveConfig, TrainingConfig
from g3dr.errors import ConfigError
from orchestrator.experiment.merging import merge, merge_all, nested
from orchestrator.experiment.problems import ExperimentError, collect
from orchestrator.experiment.sections import Section

Extractor = Literal["efficientnet_lite0", "inception_v3"]
Assignment = Mapping[str, Any]


@dataclass(frozen=True)
class EvaluationSettings:
    """How a trained model is measured.

    Attributes:
        images: Held-out images, the first of the split in key order; fewer are used where the split has fewer.
        views: True novel views per image; null takes all that the data set has.
        extractor: Network of the Frechet distance, KID and inception score; only `inception_v3` may call them FID and IS.
        seed: Seed of the cameras where no true views are known, and of which pictures the distances compare.
        orbit_frames: Frames of the turning objects in the report.
        split: Split of the data set that is measured.
        losses: Also measure the terms of the training's objective, each in all four forms, on the held-out images.
        meshes: Meshes (GLB) of the first so many objects, for the report.
        perceptual_views: Novel views of each image that LPIPS, or the network in its place, looks at, the first ones; it takes longer than
            rendering them.
        every: Steps between measurements of a training that goes on, which gives curves over steps; each has a checkpoint too. They are
            made beside the training, with what the machine has left, and change nothing in it. null measures the end alone.
    """

    images: int = 48
    views: int | None = None
    extractor: Extractor = "efficientnet_lite0"
    seed: int = 0
    orbit_frames: int = 24
    split: str = "test"
    losses: bool = False
    meshes: int = 2
    perceptual_views: int = 1
    every: int | None = None

    def __post_init__(self) -> None:
        least_of = {"images": 1, "views": 0, "orbit_frames": 0, "meshes": 0, "perceptual_views": 0, "every": 1}
        for name, least in least_of.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"evaluation.{name}", value, f"{least} or more")


@dataclass(frozen=True)
class Settings:
    """Everything that stages may override.

    Attributes:
        model: Shape of the generator and the renderer.
        objective: Losses and their weights.
        training: Steps, batch, learning rate, schedules.
        evaluation: How the result is measured.
        seed: Seed of initial weights, sample order and random views.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    seed: int = 0


SECTIONS = ("model", "objective", "training", "evaluation")


@cache
def _adapter() -> TypeAdapter[Settings]:
    return TypeAdapter(Annotated[Settings, Section()])


def checked(document: Mapping[str, Any]) -> Settings:
    """Returns the settings that `document` holds.

    Raises:
        ValidationError: With every problem.
    """
    return _adapter().validate_python(dict(document))


def overlay(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Returns `settings` with `changes`, a mapping of sections, laid over them.

    Raises:
        ValidationError: With every problem.
    """
    whole = {name: _plain(getattr(settings, name)) for name in SECTIONS if name in changes}
    return replace(settings, **_members(checked(merge(whole, changes)), changes))


@lru_cache(maxsize=64)
def _plain(section: Any) -> dict[str, Any]:
    """A section as mappings, for reading only: the trials of a sweep all change the same ones."""
    return asdict(section)


def _members(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    """The sections that a change names; the others stay the objects they were, which a plan of thousands of runs is glad of."""
    return {name: getattr(settings, name) for name in names}


def assigned(assignment: Assignment) -> dict[str, Any]:
    """Returns the mapping of sections that an assignment of dotted paths means."""
    return merge_all(*(nested(path, value) for path, value in assignment.items()))


def overlaid(settings: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """Like `overlay`, with an error that people can read.

    Raises:
        ExperimentError: The changes do not fit the settings.
    """
    try:
        return overlay(settings, changes)
    except ValidationError as error:
        raise ExperimentError(where, collect(error, changes)) from None
