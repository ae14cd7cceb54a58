"""What the report knows about an experiment, read from the ledger and still free of any presentation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestrator.report.depths import DepthOrigin

Number = float | None


@dataclass(frozen=True)
class Pictures:
    """Pictures of the first objects of an evaluation.

    Attributes:
        keys: Key of each object in its dataset.
        species: Species of each object.
        arrays: Name to array, first axis objects: `input`, `canonical`, `novel`, `novel_truth`, `orbit` are uint8 RGB,
            `depth`, `depth_truth`, `novel_depth` are distances along the ray in world units. Unknown truths are absent.
    """

    keys: Sequence[str]
    species: Sequence[str]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class MeshFile:
    """A GLB file of an evaluated object: its key, its path below the store's root, its bytes and its triangles."""

    key: str
    path: str
    size: int
    triangles: int


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one evaluated checkpoint.

    Attributes:
        run: Id of the evaluated run.
        id: Id of the evaluation.
        spec: What was evaluated: data, split, images, views, extractor, seed.
        images: Source images.
        views: Rendered views per image.
        extractor: Name of the network whose features FD and KID compare.
        extractor_hash: SHA-256 of its weights.
        metrics: Name to value over all images.
        per_image: Name to one value per image, in the order of `keys`.
        keys: Keys of the images.
        image_species: Species of the images.
        per_species: Species to its own metrics.
        seconds: Recipe to the seconds of a step in each round, of a timing; empty for an evaluation.
        classes: `made` and `real` to the sums that inception scores are pooled from: `count`, `certainty`, `totals`.
        perceptual: Network of the perceptual distances; empty if there are none.
        perceptual_hash: SHA-256 of its weights.
        meshes: Objects to be turned by hand.
        sheets: Captions of the contact sheets, where a network of the front end was measured.
    """

    run: str
    id: str
    spec: Mapping[str, Any]
    images: int
    views: int
    extractor: str
    extractor_hash: str
    metrics: Mapping[str, float]
    per_image: Mapping[str, Sequence[Number]]
    keys: Sequence[str]
    image_species: Sequence[str]
    per_species: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    classes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    perceptual: str = ""
    perceptual_hash: str = ""
    meshes: Sequence[MeshFile] = ()
    sheets: Sequence[str] = ()

    @property
    def data_version(self) -> str:
        """Content version of the dataset that it measured; empty if it is not recorded."""
        data = self.spec.get("data")
        return str(data.get("version") or "") if isinstance(data, Mapping) else ""

    def by_key(self, metric: str) -> dict[str, Number]:
        """Returns the metric of each image by its key; empty where the metric does not apply."""
        values = self.per_image.get(metric, ())
        return dict(zip(self.keys, values, strict=False))


@dataclass(frozen=True)
class StageRun:
    """One run in the place that it has in a stage.

    Attributes:
        run: Id of the run.
        label: Short name inside the stage.
        assignment: Dotted path to value: what the sweep chose.
        species: Species that the run is about, or None.
        recipe: Recipe of a grid, or None.
        seed: Seed of the training.
        state: `finished`, `failed`, `stopped`, `running` or `missing`.
        step: Steps done.
        seconds: Time spent in training.
        seconds_per_step: Median time of one step.
        error: One sentence, if the run failed.
        curve: Logged rows in order of their step.
        evaluation: Its numbers, or None.
        spec: The resolved run.
        measured: Metrics by step, measured while it trained; each row has its `step`.
        generated: Records of the sets of pictures that were drawn with it and measured; see `generated/records.py`.
    """

    run: str
    label: str
    assignment: Mapping[str, Any] = field(default_factory=dict)
    species: str | None = None
    recipe: str | None = None
    seed: int = 0
    state: str = "missing"
    step: int = 0
    seconds: float = 0.0
    seconds_per_step: Number = None
    error: str | None = None
    curve: Sequence[Mapping[str, float]] = ()
    evaluation: Evaluation | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    measured: Sequence[Mapping[str, float]] = ()
    generated: Sequence[Mapping[str, Any]] = ()

    @property
    def name(self) -> str:
        """The label, or the run's id where it has none."""
        return self.label or self.run


@dataclass(frozen=True)
class Stage:
    """One stage of the experiment; without runs if it was not done yet."""

    name: str
    kind: str
    seconds: float
    runs: Sequence[StageRun]
    best: str | None
    metric: str | None
    mode: str
    done: bool


@dataclass(frozen=True)
class Dataset:
    """A dataset of the experiment: its name, content version and rows, None where it is not packed, and where its depth is from."""

    name: str
    version: str | None
    rows: int | None
    depth: DepthOrigin = field(default_factory=DepthOrigin)


@dataclass(frozen=True)
class Study:
    """An experiment with everything that its runs left in the ledger."""

    name: str
    description: str
    root: str
    experiment: Mapping[str, Any]
    git: Mapping[str, Any]
    stages: Sequence[Stage]
    datasets: Sequence[Dataset]

    def of_kind(self, *kinds: str) -> list[Stage]:
        """Returns the stages of these kinds, in order."""
        return [stage for stage in self.stages if stage.kind in kinds]

    def depth_of(self, evaluation: Evaluation | None) -> DepthOrigin:
        """Returns where the depth of the pictures is from that an evaluation measured."""
        version = evaluation.data_version if evaluation else ""
        return next((dataset.depth for dataset in self.datasets if version and dataset.version == version), DepthOrigin())
