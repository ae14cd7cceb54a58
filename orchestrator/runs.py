"""Runs and their ids: a run is what determines its result, so two equal runs are one, whoever asks for them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from g3dr.config import DeviceChoice, ModelConfig, ObjectiveConfig, TrainingConfig
from orchestrator.content_ids import canonical_text, content_id, digest
from orchestrator.experiment.settings import EvaluationSettings, Settings, checked
from orchestrator.timing_spec import TimingSpec

if TYPE_CHECKING:
    from g3dr.networks import NetworkConfig
    from orchestrator.shards.selection import Selection

COMPUTE_VERSION = "3"
"""Counts up whenever the code computes other numbers from the same configuration; runs made before are then made anew."""

_NOT_IN_ID = ("log_every", "log_forms", "checkpoint_every", "accumulation", "activation_checkpointing", "feature_memory")


def _left_out(value: Any) -> tuple[str, ...]:
    """What does not count: how a training logs, and whichever of G3DR and another network a run does not train."""
    if isinstance(value, TrainingConfig):
        return _NOT_IN_ID
    if isinstance(value, RunSpec):
        return ("network", "autoencoder") if value.network is None else ("model", "objective")
    return ()


@lru_cache(maxsize=4096, typed=True)
def _part(value: Any) -> str:
    """The text of a frozen dataclass or a value within an id's text; remembered, because the runs of a sweep share most of theirs."""
    if not is_dataclass(value):
        return canonical_text(value)
    left_out = _left_out(value)
    names = sorted(member.name for member in fields(value) if member.name not in left_out)
    return "{" + ",".join(f'"{name}":{_part(getattr(value, name))}' for name in names) + "}"


@dataclass(frozen=True)
class DataSelection:
    """Which rows of a data set.

    Attributes:
        version: Version of the data set, the hash of its content.
        split: `train` or `test`.
        species: Only these; None for all.
    """

    version: str
    split: str
    species: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "DataSelection":
        """Reads what `dataclasses.asdict` and JSON made."""
        species = record["species"]
        return cls(record["version"], record["split"], None if species is None else tuple(species))


@dataclass(frozen=True)
class RunSpec:
    """All that determines the result of a training.

    Attributes:
        model: Shape of G3DR; without meaning where another network is trained.
        objective: Its losses, likewise.
        training: Steps, batch, schedules; how often it logs and how it saves memory are not part of the id.
        data: The rows it trains on.
        initial: Run id or SHA-256 of the checkpoint that it starts from; None for random weights.
        seed: Seed of everything random.
        compute_version: Version of the code that computes.
        network: The network of the front end that is trained instead of G3DR; None for G3DR itself.
        autoencoder: Run id or SHA-256 of the autoencoder in whose latent space a denoiser works; None for other networks.
    """

    model: ModelConfig
    objective: ObjectiveConfig
    training: TrainingConfig
    data: DataSelection
    initial: str | None = None
    seed: int = 0
    compute_version: str = COMPUTE_VERSION
    network: "NetworkConfig | None" = None
    autoencoder: str | None = None

    @property
    def resolution(self) -> int:
        """Side of the pictures that it trains on, pixels."""
        return self.model.generator.resolution if self.network is None else self.network.resolution

    @cached_property
    def id(self) -> str:
        """16 hex digits that name the run in the ledger."""
        return digest(_part(self))

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and values."""
        own: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if self.network is None:
            return {name: value for name, value in own.items() if name not in ("network", "autoencoder")}
        from g3dr.networks import network_to_json  # noqa: PLC0415  (brings numpy, which a look at a ledger does without)

        return {**own, "network": network_to_json(self.network)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "RunSpec":
        """Reads what `to_json` wrote."""
        settings = checked({name: record[name] for name in ("model", "objective", "training")})
        own = {name: record[name] for name in ("initial", "seed", "compute_version")}
        if record.get("network"):
            from g3dr.networks import network_from_json  # noqa: PLC0415

            own |= {"network": network_from_json(record["network"], "a run"), "autoencoder": record["autoencoder"]}
        return cls(settings.model, settings.objective, settings.training, DataSelection.from_json(record["data"]), **own)


@dataclass(frozen=True)
class EvaluationSpec:
    """All that determines a measurement of a given run.

    Attributes:
        data: The rows it is measured on.
        images: The first so many rows in key order.
        views: True novel views per image; None for all.
        extractor: Network of the distribution distances.
        seed: Seed of the cameras where no true views are known, and of which pictures the distances compare.
        orbit_frames: Frames of the turning objects.
        losses: Whether the terms of the objective are measured too, in every form.
        meshes: GLB files of the first so many objects.
        perceptual_views: Novel views of each object that the perceptual distance looks at.
    """

    data: DataSelection
    images: int = 48
    views: int | None = None
    extractor: str = "efficientnet_lite0"
    seed: int = 0
    orbit_frames: int = 24
    losses: bool = False
    meshes: int = 2
    perceptual_views: int = 1

    @property
    def id(self) -> str:
        """16 hex digits that name the measurement below its run."""
        return digest(_part(self))

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and values."""
        record: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "EvaluationSpec":
        """Reads what `to_json` wrote."""
        return cls(**{**record, "data": DataSelection.from_json(record["data"])})

    @classmethod
    def of(cls, settings: EvaluationSettings, version: str, species: tuple[str, ...] | None) -> "EvaluationSpec":
        """Makes the measurement that `settings` ask for."""
        data = DataSelection(version, settings.split, species)
        own = {member.name: getattr(settings, member.name) for member in fields(cls) if member.name != "data"}
        return cls(data, **own)


@dataclass(frozen=True)
class RunRequest:
    """A run as a stage asks for it: the run, how it is measured, where its data lies, and what it gets. Travels to workers as JSON.

    Attributes:
        spec: The run.
        label: Short name within the stage, for people.
        stage: The stage that asks.
        data_uri: Where the data set of `spec.data` lies.
        initial_path: Folder of the initial checkpoint: a path below the root, or a URI; None for random weights.
        autoencoder_path: Folder of the autoencoder of `spec.autoencoder`, likewise.
        evaluation: How the run is measured; None if it is not.
        evaluation_data_uri: Where the data set of `evaluation.data` lies.
        workers: Data-parallel workers.
        cpus_per_worker: Logical CPUs of each.
        gpus_per_worker: GPUs of each.
        min_workers: As few go on while machines are missing; None for all or none.
        device: What they compute on.
        assignment: Values of a sweep by dotted path.
        species: The species, in a grid.
        recipe: The recipe, in a grid.
        index: Number of the trial, in a sweep.
        kept_checkpoints: The newest so many are kept.
        rungs: Steps at which a sweep with early stopping compares its runs, ascending; they change nothing in the run itself.
        timing: What is timed from the run's checkpoint instead of an evaluation; None if nothing is.
        evaluate_every: Steps between measurements while it trains; None measures the end alone.
    """

    spec: RunSpec
    label: str
    stage: str
    data_uri: str
    initial_path: str | None = None
    autoencoder_path: str | None = None
    evaluation: EvaluationSpec | None = None
    evaluation_data_uri: str | None = None
    workers: int = 1
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    min_workers: int | None = None
    device: DeviceChoice = "auto"
    assignment: Mapping[str, Any] = field(default_factory=dict)
    species: str | None = None
    recipe: str | None = None
    index: int = 0
    kept_checkpoints: int = 2
    rungs: tuple[int, ...] = ()
    timing: TimingSpec | None = None
    evaluate_every: int | None = None

    @property
    def measurement(self) -> str:
        """Id of what is measured, an evaluation or a timing; empty if nothing is."""
        if self.timing is not None:
            return content_id(self.timing.to_json())
        return self.evaluation.id if self.evaluation else ""

    @property
    def log_every(self) -> int:
        """Steps between reported metrics."""
        return self.spec.training.log_every

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""
        return self.spec.training.checkpoint_every

    @property
    def settings(self) -> Settings:
        """The run's settings, for stages that build on it."""
        return Settings(self.spec.model, self.spec.objective, self.spec.training, seed=self.spec.seed)

    @property
    def final_checkpoint(self) -> str:
        """Path of the run's last checkpoint, below the root."""
        return f"runs/{self.spec.id}/checkpoints/{self.spec.training.steps:08d}"

    @property
    def selection(self) -> "Selection":
        """The rows to train on."""
        return _selection(self.data_uri, self.spec.data)

    @property
    def evaluation_selection(self) -> "Selection | None":
        """The rows to measure on, if it is measured."""
        if self.evaluation is None or self.evaluation_data_uri is None:
            return None
        return _selection(self.evaluation_data_uri, self.evaluation.data)

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and values."""
        plain = {member.name: getattr(self, member.name) for member in fields(self) if member.name not in ("spec", "evaluation", "timing")}
        evaluation = self.evaluation.to_json() if self.evaluation else None
        timing = {"timing": self.timing.to_json()} if self.timing else {}
        record: dict[str, Any] = json.loads(json.dumps({**plain, "assignment": dict(self.assignment)}))
        return {**record, "spec": self.spec.to_json(), "evaluation": evaluation, **timing}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "RunRequest":
        """Reads what `to_json` wrote."""
        evaluation = EvaluationSpec.from_json(record["evaluation"]) if record["evaluation"] else None
        timing = TimingSpec.from_json(record["timing"]) if record.get("timing") else None
        own = {"spec": RunSpec.from_json(record["spec"]), "evaluation": evaluation, "timing": timing, "rungs": tuple(record["rungs"])}
        return cls(**{**record, **own})


def _selection(uri: str, data: DataSelection) -> "Selection":
    from orchestrator.shards.selection import Selection  # noqa: PLC0415  (brings pyarrow, which planning does without)

    return Selection(uri, data.version, data.split, data.species)
