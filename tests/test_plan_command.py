"""`g3dr plan`, `g3dr run` and `g3dr validate` as people call them."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tiny_study import TEXT, write_study

from orchestrator.cli.main import main
from orchestrator.cli.plan_table import print_plan
from orchestrator.experiment.loading import load_experiment
from orchestrator.planning.durations import Span
from orchestrator.planning.estimates import StageTime
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.planning.plan import Capacity, Plan, make_plan
from orchestrator.planning.prices import Cost
from orchestrator.running.execution import Execution

pytestmark = pytest.mark.unit

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
DOCUMENT = (Path(__file__).parent.parent / "docs" / "plan.md").read_text(encoding="utf-8")
PRICES = "currency: EUR\nmachines: {small: {per_hour: 1, cpus: 4}}\n"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("G3DR_PRICES", "G3DR_ASK_ABOVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def g3dr(tmp_path, monkeypatch, capsys):
    """Calls the command on the tiny study; returns exit code, output and errors."""
    file = write_study(tmp_path)
    monkeypatch.setattr(Execution, "run", lambda self: "reports/tiny/index.html")

    def call(verb, *words, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        monkeypatch.setattr(
            "sys.argv", ["g3dr", verb, *words] if verb == "validate" else ["g3dr", verb, str(file), *words, "--root", str(tmp_path / "r")]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


def long_plan(path: Path) -> Plan:
    """A plan whose every cell is as long as it gets."""
    experiment = load_experiment(path)
    knowledge = Knowledge(
        {name: DatasetInfo(name, f"version of {name}", ("a", "b", "c")) for name in experiment.data},
        checkpoints={"s3://your-bucket/checkpoints/imagenet": "0" * 64},
    )
    plan = make_plan(experiment, knowledge, lambda _: False, Capacity(cpus=65, gpus=8))
    time, cost = StageTime(Span(100_000, 170_000), "scaled", 1), Cost(Span(1234.5, 2345.6), "EUR", "small", 1)
    return replace(plan, currency="EUR", stages=tuple(replace(stage, time=time, cost=cost) for stage in plan.stages))


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_plan_fits_a_hundred_columns(path):
    console = Console(width=100, file=io.StringIO())
    plan = long_plan(path)
    print_plan(plan, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    start = next(number for number, line in enumerate(lines) if line.startswith("stage "))
    table = lines[start : start + len(plan.stages) + 1]
    assert max(map(len, table)) <= 100
    assert [line.split()[0] for line in table] == ["stage", *(stage.name for stage in plan.stages)]  # nothing is folded
    assert all("~28 to 47 h" in line and "1,234 to 2,346" in line for line in table[1:])


def test_a_plan_for_programs_has_the_keys_that_are_documented(g3dr, tmp_path):
    (tmp_path / "prices.yaml").write_text(PRICES, encoding="utf-8")
    code, out, _ = g3dr("plan", "--json", "--prices", str(tmp_path / "prices.yaml"))
    plan = json.loads(out)
    assert (code, plan["currency"], plan["seconds"], plan["fits"]) == (0, "EUR", None, True)
    keys = {*plan, *(key for stage in plan["stages"] for key in stage)} - {"stages"}
    assert {
        key for key in keys if f"`{key}`" not in DOCUMENT and f"`stages[].{key}`" not in DOCUMENT and f"`stages[].{key}[]`" not in DOCUMENT
    } == set()


def test_a_plan_says_what_to_do_next_and_refuses_what_does_not_fit(g3dr):
    code, out, _ = g3dr("plan")
    assert (code, "next: g3dr run" in out, "time in all: unknown" in out) == (0, True, True)
    code, out, err = g3dr("plan", "--set", "resources.gpus_per_worker=64")
    assert (code, "does not fit" in out) == (2, True)
    assert "64 GPUs" in err
    assert "Traceback" not in err


def test_a_run_that_nobody_can_be_asked_about_is_refused_above_the_threshold(g3dr):
    code, out, err = g3dr("run", "--ask-above", "2 h")
    assert code == 2
    assert re.fullmatch(r"error: this takes nobody knows how long, which is above --ask-above, .*--yes to start it all the same\n", err)
    assert "report" not in out


@pytest.mark.parametrize("words", [(), ("--yes",), ("--ask-above", "2 h", "--yes"), ("--yes", "--fail-fast")], ids=" ".join)
def test_a_run_starts_without_a_threshold_or_with_yes(g3dr, words):
    code, out, _ = g3dr("run", *words)
    assert (code, "report: " in out) == (0, True)


def test_a_threshold_may_stand_in_the_environment(g3dr, monkeypatch):
    monkeypatch.setenv("G3DR_ASK_ABOVE", "1 h, 5 EUR")
    code, _, err = g3dr("run")
    assert (code, "nobody knows how long and costs nobody knows what" in err) == (2, True)
    monkeypatch.setenv("G3DR_ASK_ABOVE", "cheap")
    code, _, err = g3dr("run")
    assert (code, "a time or a cost" in err) == (2, True)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked_above_the_threshold_and_no_is_the_default(g3dr, monkeypatch, answer, code):
    asked = []
    monkeypatch.setattr("orchestrator.cli.run.is_answered_here", lambda: True)
    monkeypatch.setattr("rich.console.Console.input", lambda self, prompt="", **_: asked.append(str(prompt)) or answer)
    assert g3dr("run", "--ask-above", "1 s")[0] == code
    assert len(asked) == 1
    assert "nobody knows how long" in asked[0]


def test_several_files_and_standard_input_are_validated_together(g3dr, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(TEXT.replace("name: tiny", "name: tiny\nsed: 1"), encoding="utf-8")
    good = str(tmp_path / "tiny.yaml")
    code, out, err = g3dr("validate", good, str(wrong), "-", stdin=TEXT.replace("steps: 8", "steps: -8"))
    assert (code, f"{good}: fine, 4 stages" in out) == (2, True)
    assert 'did you mean "seed"' in err
    assert "training.steps: got -8" in err
    assert g3dr("validate", "-", stdin=TEXT)[0] == 0
