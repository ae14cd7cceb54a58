"""`import orchestrator as o`: the same as the command line, from Python."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_study import RECIPES, SPECIES, SWEEP, TEXT

import orchestrator as o
from g3dr.errors import CheckpointError, ConfigError, G3drError
from orchestrator.experiment.loading import parse_yaml
from orchestrator.experiment.problems import ExperimentError
from orchestrator.ledger import RunStatus
from orchestrator.running.execution import Execution
from orchestrator.running.watching import Watch

NUMBERS = {"novel_depth_rmse": 0.3, "novel_psnr": 21.0}


def document(**changes):
    return {**parse_yaml(TEXT, "tiny"), **changes}


@pytest.fixture(scope="module")
def packed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from orchestrator.datasets import prepare_datasets

    loaded = o.load(document(), root=tmp_path_factory.mktemp("packed"))
    prepare_datasets(loaded.ledger.store, loaded.experiment, Watch())
    return Path(loaded.experiment.root)


@pytest.fixture
def packed(packed_root: Path, tmp_path: Path) -> o.LoadedExperiment:
    """The tiny study, packed, nothing run."""
    return o.load(document(), root=shutil.copytree(packed_root, tmp_path / "root"))


def finish(loaded: o.LoadedExperiment, metric: float = 0.3) -> None:
    """Writes into the ledger what finished runs leave there; each is a little worse than the one before."""
    for _ in loaded.experiment.stages:  # the grid's runs have names once the sweep is over
        for index, row in enumerate(loaded.runs().to_dict("records")):
            ledger, run = loaded.ledger, row["run"]
            ledger.set_status(run, RunStatus("finished", row["steps"], 4.0, 0.5))
            ledger.write_metrics(run, 1, [{"step": 1, "loss": 2.0, "seconds_per_step": 0.5}, {"step": 2, "loss": 1.0}])
            if isinstance(row["evaluation"], str):
                numbers = {**NUMBERS, "novel_depth_rmse": metric + 0.01 * index}
                ledger.store.write_bytes(f"runs/{run}/evaluations/{row['evaluation']}.json", json.dumps({"metrics": numbers}).encode())


@pytest.mark.unit
def test_the_import_is_light():
    code = "import sys, orchestrator as o; o.__all__; print(sorted({'torch', 'ray', 'pandas', 'pydantic', 'numpy'} & set(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent
    ).stdout
    assert output.strip() == "[]"


@pytest.mark.unit
def test_planning_from_python_brings_neither_torch_nor_ray_nor_pandas(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    code = (
        f"import sys, orchestrator as o; o.load({str(tmp_path / 'tiny.yaml')!r}, root={str(tmp_path / 'r')!r}).plan()._repr_html_();"
        "print(sorted({'torch', 'ray', 'pandas', 'optuna'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent
    ).stdout
    assert output.strip() == "[]"


@pytest.mark.unit
def test_a_file_and_a_mapping_are_the_same_experiment(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT, encoding="utf-8")
    changes = ["training.steps=6", "~stages.unseen"]
    loaded = o.load(file, set=changes, root=tmp_path)
    assert loaded.experiment == o.load(document(), set=changes, root=tmp_path).experiment
    assert (loaded.experiment.training.steps, len(loaded.experiment.stages)) == (6, 3)
    child = o.load({"extends": str(file), "name": "child", "training": {"betas": (0.5, 0.9)}})
    assert (child.experiment.name, child.experiment.training.betas) == ("child", (0.5, 0.9))


@pytest.mark.unit
def test_wrong_input_is_one_of_our_errors(packed):
    with pytest.raises(ExperimentError, match="2 problems"):
        o.load(document(seed=-1, trainig={}))
    with pytest.raises(ConfigError, match='did you mean "pretrain"'):
        packed.best("pretrian")
    with pytest.raises(CheckpointError, match="run the experiment first"):
        packed.best("loss_sweep")
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        packed.checkpoint("pretrain")
    with pytest.raises(G3drError, match="no run of this experiment begins so"):
        packed.curves("zzz")
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        o.laod  # noqa: B018


@pytest.mark.unit
def test_a_plan_shows_itself_in_a_notebook(packed):
    html = packed.plan()._repr_html_()
    assert html == packed._repr_html_()
    assert html.count("<tr>") == 1 + len(packed.experiment.stages)
    assert "<td>unknown</td>" in html
    unfit = o.load(document(), set=["resources.cpus_per_worker=999", "description=<script>"], root=packed.experiment.root)
    shown = unfit.plan()._repr_html_()
    assert "does not fit" in shown
    assert "<script>" not in shown


@pytest.mark.unit
def test_runs_that_are_missing_are_rows_too(packed):
    frame = packed.runs()
    assert list(frame["stage"].value_counts(sort=False)) == [1, SWEEP, 1]  # the grid waits for the best of the sweep
    assert set(frame["state"]) == {"missing"}
    assert packed.results().shape[0] == frame.shape[0]


@pytest.mark.unit
def test_results_are_a_frame_with_swept_values_and_metrics_as_columns(packed):
    finish(packed)
    frame = packed.results()
    assert list(frame["stage"].value_counts(sort=False)) == [1, SWEEP, SPECIES * RECIPES, 1]
    sweep = frame[frame["stage"] == "loss_sweep"]
    assert list(sweep["objective.rgb.form"]) == ["l1", "l2", "smooth_l1", "cosine"]
    assert packed.best("loss_sweep") == sweep.loc[sweep["novel_depth_rmse"].idxmin(), "run"]
    assert set(frame["novel_psnr"].dropna()) == {21.0}
    assert frame[frame["stage"] == "pretrain"]["novel_psnr"].isna().all()  # nobody asked for its measurement there
    curve = packed.curves(packed.best("pretrain")[:6])
    assert (next(iter(curve.columns)), list(curve["loss"])) == ("step", [2.0, 1.0])
    with pytest.raises(ConfigError, match=r"stages\.species\.metric"):
        raise _problem(lambda: packed.best("species"))


def _problem(call):
    with pytest.raises(ExperimentError) as caught:
        call()
    return caught.value.problems[0]


@pytest.mark.unit
def test_two_files_that_ask_for_the_same_runs_share_them(packed, monkeypatch):
    finish(packed)
    _without_cluster(monkeypatch)
    packed.run()
    other = o.load(document(name="other"), root=packed.experiment.root)
    plan = other.plan()
    assert [stage.new for stage in plan.stages] == [0] * len(plan.stages)
    assert plan.stages[1].sharers == {"tiny/loss_sweep": SWEEP}
    assert plan.to_json()["stages"][1]["requests"][0]["shared"] == ["tiny/loss_sweep"]
    other.run()
    for name in ("tiny", "other"):
        assert str(packed.best("loss_sweep")) in packed.ledger.store.read_bytes(f"reports/{name}/summary.json").decode()


@pytest.mark.unit
def test_runs_that_two_stages_of_a_file_share_are_done_and_counted_once(packed):
    twice = document(stages=[*document()["stages"][:2], {**document()["stages"][1], "name": "again"}])
    plan = o.load(twice, root=packed.experiment.root).plan()
    assert [stage.steps for stage in plan.stages] == [8, 16, 0]
    assert plan.stages[2].sharers == {"loss_sweep": SWEEP}


def _without_cluster(monkeypatch):
    def refuse():
        raise AssertionError("Ray was needed")

    monkeypatch.setattr("orchestrator.running.execution.connected", refuse)


class Started(Watch):
    """Counts the stages in which anything was left to do."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage_started(self, stage, kind, runs, finished):
        self.stages.append(stage)


@pytest.mark.ray
def test_a_study_that_another_file_has_run_is_there_already_and_both_reports_show_it(tiny_ledger, monkeypatch):
    _without_cluster(monkeypatch)
    watch, before = Started(), {path for path in tiny_ledger.store.list("runs") if path.endswith("spec.json")}
    other = o.load(document(name="other"), root=tiny_ledger.store.uri)
    assert other.plan().stages[2].sharers == {"tiny/species": SPECIES * RECIPES}
    report = other.run(watch)
    assert (watch.stages, Path(report).name) == ([], "index.html")
    assert {path for path in tiny_ledger.store.list("runs") if path.endswith("spec.json")} == before
    best = other.best("loss_sweep")
    for name in ("tiny", "other"):
        assert best in tiny_ledger.store.read_bytes(f"reports/{name}/summary.json").decode()
    assert sum(parameter.numel() for parameter in other.model("pretrain").parameters()) > 0
    assert other.checkpoint("pretrain").startswith(tiny_ledger.store.uri)
    assert list(other.curves("pretrain")["step"]) == list(range(1, 9))


@pytest.mark.unit
def test_fail_fast_reaches_the_execution(monkeypatch, tmp_path):
    seen = {}

    def run(self):
        seen.update(policy=self.policy.fail_fast, watch=self.watch)
        return "reports/tiny/index.html"

    monkeypatch.setattr(Execution, "run", run)
    watch = Started()
    assert o.load(document(), root=tmp_path).run(watch, fail_fast=True) == f"{tmp_path}/reports/tiny/index.html"
    assert seen == {"policy": True, "watch": watch}
