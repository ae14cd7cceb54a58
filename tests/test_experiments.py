"""Every experiment file is loaded and planned, and the schema that editors use is up to date."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.experiment.loading import load_experiment
from orchestrator.experiment.schema import schema_text
from orchestrator.experiment.spec import SweepStage
from orchestrator.planning.plan import Capacity, DatasetInfo, Deferred, Knowledge, expand_stage, make_plan

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parent.parent / "experiments"
CLUSTER = Capacity(cpus=65, gpus=8)


def _knowledge(names: list[str]) -> Knowledge:
    datasets = {name: DatasetInfo(name, f"version of {name}", ("a", "b", "c")) for name in names}
    return Knowledge(datasets, checkpoints={"s3://your-bucket/checkpoints/imagenet": "0" * 64})


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_loads_and_plans(path: Path) -> None:
    experiment = load_experiment(path)
    knowledge = _knowledge(list(experiment.data))
    plan = make_plan(experiment, knowledge, lambda _: False, CLUSTER)
    plan.check()
    assert experiment.name == path.stem
    assert experiment.description
    named = [stage for stage in experiment.stages if not (isinstance(stage, SweepStage) and stage.search.learns)]
    assert not any(isinstance(expand_stage(experiment, stage, knowledge), Deferred) for stage in named)
    assert all(stage.runs for stage in plan.stages)


@pytest.mark.parametrize("name", ["quickstart", "procedural"])
def test_local_experiments_fit_two_cores(name: str) -> None:
    experiment = load_experiment(FOLDER / f"{name}.yaml")
    make_plan(experiment, Knowledge(), lambda _: False, Capacity(cpus=3, spare_cpus=1)).check()
    assert all(data.procedural is not None for data in experiment.data.values())


def test_the_report_study_has_its_sizes() -> None:
    experiment = load_experiment(FOLDER / "report_2024.yaml")
    assert experiment.evaluation.images == 400
    assert experiment.training.steps * experiment.training.batch_size == 100 * 1000


def test_the_paper_training_has_its_sizes() -> None:
    experiment = load_experiment(FOLDER / "imagenet.yaml")
    assert (experiment.training.steps, experiment.training.batch_size // experiment.resources.workers) == (300_000, 8)
    assert experiment.model.renderer.layout == "published"


def test_the_schema_is_up_to_date() -> None:
    assert (FOLDER / "schema.json").read_text(encoding="utf-8") == schema_text(), "run g3dr schema"


def test_planning_brings_neither_torch_nor_ray() -> None:
    modules = "orchestrator.experiment.loading, orchestrator.planning.plan"
    code = f"import sys, {modules}; print(sorted({{'torch', 'ray', 'optuna', 'pyarrow'}} & set(sys.modules)))"
    started = time.perf_counter()
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=FOLDER.parent).stdout
    assert output.strip() == "[]"
    assert time.perf_counter() - started < 15
