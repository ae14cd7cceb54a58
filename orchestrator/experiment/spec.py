"""What an experiment file may say. `loading.load_experiment` reads one; `experiments/schema.json` describes it to editors."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from g3dr.config import DeviceChoice, ModelConfig, ObjectiveConfig, TrainingConfig
from orchestrator.experiment.axes import AXIS_SCHEMA, Axis, axis_to_json, parse_axis
from orchestrator.experiment.checks import Context, StageChecks, check_data_name, check_source, check_stage_name
from orchestrator.experiment.data_spec import DataSpec, Strict
from orchestrator.experiment.failure_spec import FailureSpec
from orchestrator.experiment.network_spec import NetworkSpec
from orchestrator.experiment.problems import problem
from orchestrator.experiment.recipes import RECIPES
from orchestrator.experiment.retention_spec import RetentionSpec
from orchestrator.experiment.scores import Score
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.sections import Overrides, Partial, Section
from orchestrator.experiment.settings import EvaluationSettings, Settings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Count = Annotated[int, Field(strict=True, ge=1)]
WholeNumber = Annotated[int, Field(strict=True, ge=0)]
Amount = Annotated[float, Field(strict=True, ge=0)]


def _species(value: Any) -> Any:
    return None if value == "all" else value


SpeciesChoice = Annotated[tuple[str, ...] | None, BeforeValidator(_species, json_schema_input_type=Literal["all"] | tuple[str, ...] | None)]
StageName = Annotated[Name, AfterValidator(check_stage_name)]
DatasetName = Annotated[str, AfterValidator(check_data_name)]
SourceText = Annotated[str, AfterValidator(check_source)]
AxisField = Annotated[Axis, PlainValidator(parse_axis), PlainSerializer(axis_to_json), WithJsonSchema(AXIS_SCHEMA)]


class ResourcesSpec(Strict):
    """What one run gets, unless its stage says otherwise."""

    workers: Count = Field(1, description="Data-parallel workers of a training; 1 runs it in a warm process, more start Ray Train.")
    min_workers: Count | None = Field(
        None, description="Elastic training: begin and go on with as few workers as these while machines are missing, and grow again."
    )
    cpus_per_worker: Amount = Field(1.0, description="Logical CPUs that each worker holds.")
    gpus_per_worker: Amount = Field(0.0, description="GPUs that each worker holds.")
    device: DeviceChoice = Field(
        "auto", description="`auto` is CUDA for workers that hold a GPU, else the CPU; `mps`, an Apple GPU, is only taken by its name."
    )


class StageBase(StageChecks, Strict):
    """What every stage says."""

    name: StageName = Field(description="Unique within the experiment; later stages refer to it.")
    data: DatasetName = Field(description="Name of a data set under `data`.", examples=["animals"])
    evaluation: Annotated[Overrides, Partial(EvaluationSettings, "SomeEvaluation")] = Field(default_factory=dict)
    cpus_per_worker: Amount | None = Field(None, description="As under `resources`, for this stage.")
    gpus_per_worker: Amount | None = Field(None, description="As under `resources`, for this stage.")


class SharedStage(StageBase):
    """What every stage says whose runs several workers may share."""

    source: SourceText | None = Field(
        None,
        alias="from",
        description="A stage, `best of <stage>`, or the path or URI of a checkpoint.",
        examples=["pretrain", "best of loss_sweep", "s3://bucket/checkpoints/imagenet"],
    )
    workers: Count | None = Field(None, description="Data-parallel workers; their number does not change the result.")
    min_workers: Count | None = Field(None, description="Go on with as few workers as these while machines are missing.")
    training: Annotated[Overrides, Partial(TrainingConfig, "SomeTraining")] = Field(default_factory=dict)


class TrainingStage(SharedStage):
    """What every stage that trains G3DR says."""

    settings: SourceText | None = Field(None, description="`best of <sweep>`: start from the winning values of a sweep.")
    model: Annotated[Overrides, Partial(ModelConfig, "SomeModel")] = Field(default_factory=dict)
    objective: Annotated[Overrides, Partial(ObjectiveConfig, "SomeObjective")] = Field(default_factory=dict)


class TrainStage(TrainingStage):
    """One training, or one per seed."""

    kind: Literal["train"]
    species: SpeciesChoice = Field(None, description="Train on these species only.")
    seeds: tuple[WholeNumber, ...] | None = Field(None, description="One run per seed; the experiment's seed if not given.", min_length=1)


class SweepStage(TrainingStage):
    """A search over values of some settings."""

    kind: Literal["sweep"]
    axes: dict[str, AxisField] = Field(min_length=1, description="Dotted path of a setting, and the values it takes.")
    search: SearchSpec = Field(default_factory=lambda: SearchSpec.model_validate({}))
    seeds: tuple[WholeNumber, ...] | None = Field(
        None, min_length=1, description="Every trial is one run per seed, judged by their mean; null is one run with the experiment's seed."
    )


class RecipeSpec(Strict):
    """A recipe of one's own: changes laid over the stage's settings."""

    objective: Annotated[Overrides, Partial(ObjectiveConfig, "SomeObjective")] = Field(default_factory=dict)
    training: Annotated[Overrides, Partial(TrainingConfig, "SomeTraining")] = Field(default_factory=dict)

    @property
    def changes(self) -> Overrides:
        """The changes as a mapping of sections."""
        return {"objective": self.objective, "training": self.training}


RecipeName = Literal["pre_trained", "fine_tuned", "optimized"]


def _recipes(value: Any) -> Any:
    """A list of names is short for a mapping from names to null."""
    return dict.fromkeys(value) if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value) else value


def _known_recipes(recipes: dict[str, RecipeSpec | None]) -> dict[str, RecipeSpec | None]:
    for name, recipe in recipes.items():
        if recipe is None and name not in RECIPES:
            raise problem(name, f"one of {', '.join(RECIPES)}, or a mapping from a name to changes")
    return recipes


RecipesField = Annotated[
    dict[str, RecipeSpec | None],
    BeforeValidator(_recipes, json_schema_input_type=tuple[RecipeName, ...] | dict[str, RecipeSpec | None]),
    AfterValidator(_known_recipes),
]


class GridStage(TrainingStage):
    """Every species with every recipe."""

    kind: Literal["grid"]
    source: SourceText = Field(alias="from", description="What every cell starts from: a stage, `best of <stage>`, or a checkpoint.")
    species: SpeciesChoice = Field(None, description="These species; `all` takes every species of the data set.")
    recipes: RecipesField = Field(
        default_factory=lambda: dict.fromkeys(RECIPES), min_length=1, description="Names, or a mapping from names to changes."
    )
    metric: Score | None = Field(None, description="Names a best cell, for `best of`.")
    seeds: tuple[WholeNumber, ...] | None = Field(None, description="One run per cell and seed.", min_length=1)


class EvaluateStage(StageBase):
    """Measures trained models on a data set's held-out split."""

    kind: Literal["evaluate"]
    source: SourceText = Field(alias="from", description="A stage, `best of <stage>`, or the path or URI of a checkpoint.")
    species: SpeciesChoice = Field(None, description="Measure on these species only.")


def _timed(recipes: dict[str, RecipeSpec | None]) -> dict[str, RecipeSpec | None]:
    if len(recipes) < 2 or "pre_trained" in recipes:
        raise problem(list(recipes), "two recipes or more that train something")
    return recipes


class TimingStage(StageBase):
    """Times the steps of several recipes against each other, in turns in one process."""

    kind: Literal["timing"]
    source: SourceText | None = Field(None, alias="from", description="What every recipe starts from: a stage, or a checkpoint.")
    recipes: Annotated[RecipesField, AfterValidator(_timed)] = Field(
        description="Names, or a mapping from names to changes; the others are compared with the first."
    )
    rounds: Annotated[int, Field(strict=True, ge=6)] = Field(
        20, description="How often each recipe is timed, after two rounds of warming up."
    )
    objective: Annotated[Overrides, Partial(ObjectiveConfig, "SomeObjective")] = Field(default_factory=dict)
    training: Annotated[Overrides, Partial(TrainingConfig, "SomeTraining")] = Field(default_factory=dict)


class NetworkStage(SharedStage):
    """One training of a network of the front end, or one per seed."""

    kind: Literal["network"]
    network: NetworkSpec = Field(description="Which network, and its shape.", examples=[{"depth": {}}])
    autoencoder: SourceText | None = Field(
        None, description="In whose latent space a denoiser works: a stage, or the path or URI of a checkpoint.", examples=["codes"]
    )
    species: SpeciesChoice = Field(None, description="Train on these species only.")
    seeds: tuple[WholeNumber, ...] | None = Field(None, description="One run per seed; the experiment's seed if not given.", min_length=1)

    @model_validator(mode="after")
    def _has_its_latents(self) -> "NetworkStage":
        if self.network.kind == "denoiser" and self.autoencoder is None:
            raise problem(None, "an earlier stage, or a checkpoint", "autoencoder says in whose latent space the denoiser works")
        if self.network.kind != "denoiser" and self.autoencoder is not None:
            raise problem(
                self.autoencoder, "nothing", f"autoencoder is for denoisers, the stage trains a network of kind {self.network.kind}"
            )
        return self


def _kind(stage: Any) -> str | None:
    kind = stage.get("kind") if isinstance(stage, Mapping) else getattr(stage, "kind", None)
    return f"<{kind}>" if isinstance(kind, str) else None


Stage = Annotated[
    Annotated[TrainStage, Tag("<train>")]
    | Annotated[SweepStage, Tag("<sweep>")]
    | Annotated[GridStage, Tag("<grid>")]
    | Annotated[EvaluateStage, Tag("<evaluate>")]
    | Annotated[TimingStage, Tag("<timing>")]
    | Annotated[NetworkStage, Tag("<network>")],
    Discriminator(_kind),
]


class Experiment(Strict):
    """An experiment: data sets, settings, and stages in the order in which they run."""

    name: Name = Field(description="Names the report and the records of the stages.")
    description: str = Field("", description="One sentence for the plan and the report.")
    root: str = Field(
        "results", description="Where everything is kept: a folder, or s3://bucket/prefix.", examples=["results", "s3://bucket/prefix"]
    )
    data: dict[Name, DataSpec] = Field(min_length=1, description="Data sets by name.")
    model: Annotated[ModelConfig, Section()] = Field(default_factory=ModelConfig)
    objective: Annotated[ObjectiveConfig, Section()] = Field(default_factory=ObjectiveConfig)
    training: Annotated[TrainingConfig, Section()] = Field(default_factory=TrainingConfig)
    evaluation: Annotated[EvaluationSettings, Section()] = Field(default_factory=EvaluationSettings)
    seed: WholeNumber = Field(0, description="Seed of initial weights, sample order and random views.")
    resources: ResourcesSpec = Field(default_factory=lambda: ResourcesSpec.model_validate({}))
    failures: FailureSpec = Field(default_factory=lambda: FailureSpec.model_validate({}))
    retention: RetentionSpec = Field(default_factory=lambda: RetentionSpec.model_validate({}))
    stages: tuple[Stage, ...] = Field(min_length=1, description="Run in this order.")

    @property
    def base(self) -> Settings:
        """The settings that stages start from."""
        return Settings(self.model, self.objective, self.training, self.evaluation, self.seed)

    def stage(self, name: str) -> "AnyStage":
        """Returns the stage called `name`, which must exist."""
        return next(stage for stage in self.stages if stage.name == name)

    def to_json(self) -> dict[str, Any]:
        """Returns the experiment with every default filled in, as `parse_experiment` reads it."""
        return self.model_dump(mode="json", by_alias=True)


AnyStage = TrainStage | SweepStage | GridStage | EvaluateStage | TimingStage | NetworkStage


def parse_experiment(document: Mapping[str, Any]) -> Experiment:
    """Returns the experiment that `document` means.

    Raises:
        ValidationError: With every problem of the document.
    """
    return Experiment.model_validate(document, context=Context.of(document))
