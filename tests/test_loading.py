"""YAML, `extends:` and `--set`."""

import io
from pathlib import Path

import pytest

from orchestrator.experiment.loading import apply_settings, load_experiment, parse_yaml, read_document
from orchestrator.experiment.merging import merge
from orchestrator.experiment.problems import ExperimentError

pytestmark = pytest.mark.unit

PARENT = """
name: parent
data: {animals: {procedural: {species: [0, 1]}}}
model: {generator: {resolution: 32, width: 16, multipliers: [1, 2]}}
training: {steps: 10, learning_rate: 5e-3}
stages:
  - {name: one, kind: train, data: animals, training: {steps: 5}}
  - {name: two, kind: evaluate, data: animals, from: one}
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    path = tmp_path / "parent.yaml"
    path.write_text(PARENT, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-5", 5e-5),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-2.0e+1", -20.0),
        ("300_000", 300_000),
        ("010", 10),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("true", True),
        ("null", None),
        ("", None),
        (".inf", float("inf")),
        ("'5'", "5"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("[1, l1, 2e0]", [1, "l1", 2.0]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    parsed = parse_yaml(text, "here")
    assert parsed == value
    assert type(parsed) is type(value)


def test_a_key_that_stands_twice_is_refused_with_its_lines() -> None:
    with pytest.raises(ExperimentError, match=r"x\.yaml: steps: got 'line 2 and line 3', allowed: each key once"):
        parse_yaml("training:\n  steps: 1\n  steps: 2\n", "x.yaml")


def test_keys_must_be_plain_words() -> None:
    with pytest.raises(ExperimentError, match="plain words as keys"):
        parse_yaml("{[1]: 2}", "x.yaml")


def test_broken_yaml_is_one_sentence_with_its_line() -> None:
    with pytest.raises(ExperimentError, match=r"x\.yaml: line 2, column"):
        parse_yaml("a: [1, 2\nb: 3", "x.yaml")


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), (b"\xff\xfe\x00", "not text in UTF-8"), (b"- 1\n", "a mapping"), (b"", "a mapping")]
)
def test_a_file_that_is_no_experiment(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExperimentError, match=says):
        load_experiment(path)


def test_extends_merges_mappings_replaces_lists_and_merges_stages_by_name(parent: Path) -> None:
    child = parent.with_name("child.yaml")
    stages = "stages:\n  - {name: one, training: {batch_size: 2}}\n"
    child.write_text("extends: parent.yaml\nname: child\nmodel: {generator: {multipliers: [1, 2, 4]}}\n" + stages, encoding="utf-8")
    experiment = load_experiment(child)
    assert (experiment.name, experiment.model.generator.width, experiment.model.generator.multipliers) == ("child", 16, (1, 2, 4))
    assert [stage.name for stage in experiment.stages] == ["one", "two"]
    assert read_document(child)["stages"][0]["training"] == {"steps": 5, "batch_size": 2}


def test_another_kind_of_data_or_stage_replaces_the_parents() -> None:
    assert merge({"a": {"procedural": {"views": 1}}}, {"a": {"dataset": "x"}}) == {"a": {"dataset": "x"}}
    base, changes = {"stages": [{"name": "a", "kind": "train", "workers": 2}]}, {"stages": [{"name": "a", "kind": "evaluate"}]}
    assert merge(base, changes) == changes


def test_a_circle_of_extends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match="does not extend this one"):
        load_experiment(tmp_path / "a.yaml")


def test_set_addresses_stages_by_name_and_root_is_replaced(parent: Path) -> None:
    experiment = load_experiment(
        parent, ["stages.one.training.steps=7", "training.learning_rate=1e-4", "evaluation.views=2"], root="elsewhere"
    )
    assert experiment.stages[0].training == {"steps": 7}  # type: ignore[union-attr]
    assert (experiment.training.learning_rate, experiment.evaluation.views, experiment.root) == (1e-4, 2, "elsewhere")


def test_set_reaches_axes_whose_keys_have_dots() -> None:
    document = apply_settings(
        {"stages": [{"name": "s", "axes": {"objective.rgb.form": ["l1"]}}]}, ["stages.s.axes.objective.rgb.form=[l2]"]
    )
    assert document["stages"][0]["axes"] == {"objective.rgb.form": ["l2"]}
    document = apply_settings(document, ["stages.s.axes.training.learning_rate={uniform: [0.1, 1]}"])
    assert list(document["stages"][0]["axes"]) == ["objective.rgb.form", "training.learning_rate"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("training.steps", "path=value"),
        ("stages.oen.workers=2", 'did you mean "one"'),
        ("name.first=2", "a path to a single value"),
        ("training..steps=2", "a dotted path"),
        ("training.stepz=2", 'did you mean "steps"'),
    ],
)
def test_a_wrong_set_is_one_sentence(parent: Path, setting: str, says: str) -> None:
    with pytest.raises(ExperimentError, match=says):
        load_experiment(parent, [setting])


def test_a_child_drops_a_stage_of_its_parent_by_name():
    parent = {"stages": [{"name": "a", "kind": "train"}, {"name": "b", "kind": "sweep"}]}
    assert merge(parent, {"stages": [{"name": "b", "remove": True}]}) == {"stages": [{"name": "a", "kind": "train"}]}
    unknown = {"name": "c", "remove": True}  # stays, and is refused as an unknown key later
    assert merge(parent, {"stages": [unknown]})["stages"][-1] == unknown


def test_anchors_and_merge_keys_work_and_are_still_checked_for_keys_that_stand_twice():
    text = "one: &form {form: l1, weight: 1}\ntwo: {<<: *form, weight: 2}\nthree: *form\n"
    assert parse_yaml(text, "x") == {
        "one": {"form": "l1", "weight": 1},
        "two": {"form": "l1", "weight": 2},
        "three": {"form": "l1", "weight": 1},
    }
    with pytest.raises(ExperimentError, match="each key once"):
        parse_yaml("two: {<<: {a: 1}, b: 1, b: 2}", "x")


def test_set_takes_whole_mappings_and_takes_things_out(parent: Path) -> None:
    experiment = load_experiment(parent, ["data.animals={procedural: {species: [3]}}", "~stages.two", "~training.steps"])
    assert experiment.data["animals"].procedural is not None
    assert experiment.data["animals"].procedural.species == (3,)
    assert [stage.name for stage in experiment.stages] == ["one"]
    assert experiment.training.steps == 300_000  # the default again
    document = {"stages": [{"name": "s", "axes": {"objective.rgb.form": [1], "seed": [2]}}]}
    assert apply_settings(document, ["~stages.s.axes.objective.rgb.form"])["stages"][0]["axes"] == {"seed": [2]}
    assert "objective.rgb.form" in document["stages"][0]["axes"]  # the given document stays


def test_every_wrong_set_is_said_at_once(parent: Path) -> None:
    with pytest.raises(ExperimentError) as error:
        load_experiment(parent, ["training.steps", "stages.oen.workers=2", "~training.stepz", "~name.x", "training.steps=[1"])
    assert [problem.path for problem in error.value.problems] == [
        "training.steps",
        "stages.oen.workers",
        "~training.stepz",
        "~name.x",
        "training.steps",
    ]
    assert 'did you mean "steps"' in str(error.value)


def test_a_missing_parent_is_named_with_its_child(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text("extends: parent.yaml\nname: x\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match=r"parent\.yaml: .*No such file or directory, extended by child\.yaml"):
        load_experiment(tmp_path / "child.yaml")


def test_files_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{one}.yaml").write_text(f"extends: {other}.yaml\nname: {one}\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match="a file that does not extend this one in turn"):
        load_experiment(tmp_path / "a.yaml")


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PARENT.encode())))
    assert load_experiment("-").name == "parent"


def test_the_environment_is_not_expanded(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "elsewhere")
    assert load_experiment(parent, ["root=$WHERE/${WHERE}"]).root == "$WHERE/${WHERE}"
