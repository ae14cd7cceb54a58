"""The benchmarks run, compare what they should, refuse bad input; what they measure is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.command import main
from benchmarks.figures import Comparison, largest_difference, rms_difference
from benchmarks.measuring import Measurement
from benchmarks.memory import RESET, _process_peak
from benchmarks.report import markdown_table
from benchmarks.timing import interleaved

pytestmark = pytest.mark.unit
REPOSITORY = Path(__file__).parent.parent


def run(*arguments):
    """The command in a process of its own, without the type checks of the suite, as people run it."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY)


def test_quick_figures_agree_with_their_baselines(tmp_path):
    path = tmp_path / "bench.json"
    names = ["frame_64_64_with_table", "train_render_32_32", "procedural"]
    done = run("--quick", "--seconds", "0", "--no-memory", "--json", str(path), *(word for name in names for word in ("--only", name)))
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text())["figures"]
    assert list(figures) == names
    assert all(figures[name]["max_difference"] < 2e-5 for name in names[:2])
    assert figures["procedural"]["reference_s"] is None
    assert figures["procedural"]["per_second"] > 0
    for name in names:
        assert name in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "frames_of_mind"], "--only frames_of_mind: no figure of that name"),
        (["--only", "procedural", "--seconds", "-1"], "--seconds -1.0: 0 or more is allowed"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(arguments, sentence, capsys):
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_gpu_is_refused_with_a_sentence(capsys):
    assert main(["--device", "cuda"]) == 2
    assert "PyTorch sees no CUDA device here" in capsys.readouterr().err


def test_both_sides_take_turns():
    calls = []

    def side(name):
        def call():
            calls.append(name)
            return {"value": torch.ones(1)}

        return call

    timings = interleaved(Comparison(side("ours"), side("reference")), torch.device("cpu"), seconds=0)
    assert calls == ["ours", "reference"] * 4
    assert timings.difference == 0
    assert timings.rounds == 3


def test_differences_are_fractions_of_the_reference():
    ours, reference = {"a": torch.tensor([1.0, 2.2])}, {"a": torch.tensor([1.0, 2.0])}
    assert largest_difference(ours, reference) == pytest.approx(0.1)
    assert rms_difference(ours, reference) == pytest.approx(0.2 / 5**0.5)
    with pytest.raises(ValueError, match="the same names"):
        largest_difference(ours, {"b": torch.ones(1)})


@pytest.mark.skipif(not RESET.exists(), reason="only Linux tells")
def test_peak_memory_is_that_of_the_call():
    megabytes = 64

    def call():
        return {"value": torch.ones(megabytes * 2**18)}

    assert megabytes * 0.9 * 2**20 < _process_peak(call) < megabytes * 1.5 * 2**20


def test_the_markdown_table_has_a_dash_where_nothing_was_measured():
    measured = Measurement(0.0123, None, None, None, None, None, None, 81.3, 3)
    lines = markdown_table({"procedural": measured}).splitlines()
    assert lines[2] == "| procedural | 12.3 ms | - | - | - | - | - | - | 81.3 |"
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.ray
def test_the_overhead_of_a_sweep_is_measured_against_sleeping(ray_session, tmp_path):
    from benchmarks.orchestration import measured_sweep
    from benchmarks.studies import overhead_study
    from orchestrator.running.execution import Execution

    execution = Execution(overhead_study(str(tmp_path), 6, 0.2, "optuna"))
    found = measured_sweep(execution, 6, 0.2)
    assert found["ideal_s"] == pytest.approx(0.6)
    assert found["whole_s"] > found["ideal_s"]
    assert found["overhead"] == pytest.approx(found["whole_s"] / 0.6 - 1)
    statuses = [execution.ledger.status(run).state for run in {path.split("/")[1] for path in execution.store.list("runs")}]
    assert statuses == ["finished"] * 6
