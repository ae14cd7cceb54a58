"""The best of a sweep, in words and in tables: a setting with its mean over seeds, not the run that had luck."""

import re

import pytest
from ledger_fixture import JsonStore, evaluation, write_ledger, write_run, write_stage
from page_reader import build

from orchestrator.report.records import Evaluation, Stage, StageRun
from orchestrator.report.winners import winner_of

pytestmark = pytest.mark.unit


def run(form: str, seed: int, value: float | None, seeds: int = 2) -> StageRun:
    label = f"rgb.form={form}" + (f", seed {seed}" if seeds > 1 else "")
    measured = None if value is None else Evaluation(label, "", {}, 1, 1, "", "", {"novel_depth_rmse": value}, {}, [], [], {})
    return StageRun(
        run=f"{form}{seed}", label=label, assignment={"objective.rgb.form": form}, seed=seed, state="finished", evaluation=measured
    )


def stage(runs: list[StageRun], best: str | None) -> Stage:
    return Stage("rgb_form", "sweep", 1.0, runs, best, "novel_depth_rmse", "min", done=True)


# The lowest number of all belongs to the setting that is worse on average.
RUNS = [run("l1", 0, 0.18), run("l1", 1, 0.20), run("l2", 0, 0.17), run("l2", 1, 0.25)]


def test_several_seeds_are_averaged_and_named_as_one_setting():
    found = winner_of(stage(RUNS, "l10"))
    assert found is not None
    assert (found.name, found.value, found.seeds, found.settings) == ("rgb.form=l1", pytest.approx(0.19), 2, 2)
    assert (found.averaged, found.field) == ("mean of 2 seeds", "2 settings")


def test_single_runs_are_trials():
    found = winner_of(stage([run("l1", 0, 0.2, 1), run("l2", 0, 0.1, 1)], "l20"))
    assert found is not None
    assert (found.name, found.value, found.averaged, found.field) == ("rgb.form=l2", 0.1, "", "2 trials")


def test_a_mean_that_lacks_a_number_is_none():
    found = winner_of(stage([run("l1", 0, 0.18), run("l1", 1, None)], "l10"))
    assert found is not None
    assert found.value is None


@pytest.mark.parametrize("best", [None, "gone"])
def test_no_winner_while_there_is_none(best: str | None):
    assert winner_of(stage(RUNS, best)) is None


def test_the_page_names_the_setting_and_not_the_run_that_had_luck(tmp_path):
    store = JsonStore(tmp_path)
    write_ledger(store)
    trials = []
    for one, gain in zip(RUNS, (2.0, 1.8, 2.1, 0.5), strict=True):
        entry = write_run(store, one.run, steps=100, record=evaluation(one.run, ["fish_01"], 6, gain=gain))
        trials.append(entry | {"label": one.label, "assignment": dict(one.assignment), "seed": one.seed})
    write_stage(store, "study", "loss_sweep", "sweep", trials, best="l10", metric="novel_psnr", mode="max")
    page, _ = build(store)
    assert re.search(r"In loss_sweep, rgb\.form=l1 has the highest novel_psnr \([\d.]+, the mean of 2 seeds\) of 2 settings\.", page.text)
    assert "with, by the mean of 2 seeds: its lead is optimistic" in page.text
    assert "highest novel_psnr, mean of 2 seeds" in page.text
