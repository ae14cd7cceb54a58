"""The results of a study as plain rows: the headline, one row per species and recipe, one row per trial."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.report.records import Evaluation, Number, Stage, StageRun, Study
from orchestrator.report.statistics import Interval, bootstrap_mean, differences, mean_of, paired, student_mean

SPECIES_METRICS = (
    "canonical_psnr",
    "canonical_ssim",
    "novel_psnr",
    "copy_input_psnr",
    "depth_rmse",
    "depth_l2_normalized",
    "novel_depth_rmse",
    "copy_input_depth_rmse",
    "nfs",
    "nfs_truth",
    "fd",
    "fd_floor",
    "kid",
    "kid_low",
    "kid_high",
    "kid_floor",
    "inception_score",
    "precision",
    "recall",
    "precision_floor",
    "recall_floor",
    "distribution_images",
    "canonical_lpips",
    "novel_lpips",
    "copy_input_lpips",
    "canonical_perceptual",
    "novel_perceptual",
    "copy_input_perceptual",
)
PAIRED_METRICS = (
    "novel_psnr",
    "canonical_psnr",
    "depth_rmse",
    "depth_l2_normalized",
    "novel_depth_rmse",
    "novel_lpips",
    "novel_perceptual",
)
BASELINE_RECIPE = "pre_trained"


@dataclass(frozen=True)
class Headline:
    """The pretrained model on images that it was not trained on.

    Attributes:
        stage: Stage that evaluated it.
        run: The run with its evaluation.
        evaluation: Its numbers.
        novel: Novel-view PSNR, mean over images.
        copy: PSNR of the input image shown in place of every novel view.
        gain: Paired difference of the two.
        gains: Species to the gains of its images.
    """

    stage: str
    run: StageRun
    evaluation: Evaluation
    novel: Interval | None
    copy: Interval | None
    gain: Interval | None
    gains: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class SpeciesRow:
    """One species with one recipe; means where the recipe was trained with several seeds.

    Attributes:
        stage: Stage of the runs.
        species: Name of the species.
        recipe: Name of the recipe.
        runs: The runs, one a seed.
        images: Source images of the species.
        extractor: Network of FD and KID.
        extractor_hash: SHA-256 of its weights.
        metrics: Name to value; None where it does not apply.
        against_baseline: Metric to its paired difference from the pre-trained model.
        against_copy: Novel-view PSNR minus that of the copied input, paired.
        over_seeds: Metric to its mean with Student's interval over seeds; empty for a single seed.
        against_over_seeds: Metric to its difference from the pre-trained model with Student's interval over seeds; likewise.
    """

    stage: str
    species: str
    recipe: str
    runs: Sequence[StageRun]
    images: int
    extractor: str
    extractor_hash: str
    metrics: Mapping[str, Number]
    against_baseline: Mapping[str, Interval]
    against_copy: Interval | None
    over_seeds: Mapping[str, Interval] = field(default_factory=dict)
    against_over_seeds: Mapping[str, Interval] = field(default_factory=dict)

    def told(self, metric: str) -> Interval | None:
        """Returns the paired difference from the pre-trained model, if it may be marked; see `told_apart`."""
        return told_apart(self.against_baseline.get(metric), self.against_over_seeds.get(metric))


def told_apart(images: Interval | None, seeds: Interval | None) -> Interval | None:
    """Returns the difference over images if it excludes zero there, and over seeds as well where there are several; else None."""
    if images is None or not images.excludes_zero or (seeds is not None and not seeds.excludes_zero):
        return None
    return images


def by_seed(runs: Iterable[StageRun], metric: str) -> dict[int, float]:
    """Returns the metric of each seed whose run has it."""
    found = {run.seed: run.evaluation.metrics.get(metric) for run in runs if run.evaluation}
    return {seed: value for seed, value in found.items() if value is not None}


def headline(study: Study) -> Headline | None:
    """Finds the evaluation of the pretrained model: an evaluate stage's, else a train stage's; one that knows novel views first."""
    found = [
        (stage, run, run.evaluation)
        for stage in (*study.of_kind("evaluate"), *study.of_kind("train"))
        for run in stage.runs
        if run.evaluation
    ]
    if not found:
        return None
    stage, run, evaluation = next((item for item in found if "novel_psnr" in item[2].metrics), found[0])
    novel, copy = evaluation.by_key("novel_psnr"), evaluation.by_key("copy_input_psnr")
    return Headline(
        stage.name,
        run,
        evaluation,
        bootstrap_mean(list(novel.values())),
        bootstrap_mean(list(copy.values())),
        paired(novel, copy),
        _gains(evaluation),
    )


def _gains(evaluation: Evaluation) -> dict[str, list[float]]:
    gains = differences(evaluation.by_key("novel_psnr"), evaluation.by_key("copy_input_psnr"))
    species = dict(zip(evaluation.keys, evaluation.image_species, strict=False))
    grouped: dict[str, list[float]] = {}
    for key, gain in gains.items():
        grouped.setdefault(species.get(key, ""), []).append(gain)
    return dict(sorted(grouped.items()))


def species_rows(study: Study) -> list[SpeciesRow]:
    """Returns one row per species and recipe of every grid, in the order of the ledger."""
    return [row for stage in study.of_kind("grid") for row in _stage_rows(stage)]


def _stage_rows(stage: Stage) -> Iterator[SpeciesRow]:
    cells: dict[tuple[str, str], list[StageRun]] = {}
    for run in stage.runs:
        for species in _species_of(run):
            cells.setdefault((species, run.recipe or run.name), []).append(run)
    for (species, recipe), runs in cells.items():
        yield _species_row(stage.name, species, recipe, runs, cells.get((species, BASELINE_RECIPE), []))


def _species_of(run: StageRun) -> list[str]:
    if run.species:
        return [run.species]
    return list(run.evaluation.per_species) if run.evaluation else ["all"]


def _species_row(stage: str, species: str, recipe: str, runs: Sequence[StageRun], baseline: Sequence[StageRun]) -> SpeciesRow:
    evaluations = [run.evaluation for run in runs if run.evaluation]
    metrics = [_metrics_of(evaluation, species) for evaluation in evaluations]
    novel = per_image(runs, species, "novel_psnr")
    return SpeciesRow(
        stage=stage,
        species=species,
        recipe=recipe,
        runs=runs,
        images=len(novel) or max((evaluation.images for evaluation in evaluations), default=0),
        extractor=evaluations[0].extractor if evaluations else "",
        extractor_hash=evaluations[0].extractor_hash if evaluations else "",
        metrics={name: mean_of([values.get(name) for values in metrics]) for name in SPECIES_METRICS},
        against_baseline=_against(runs, baseline, species) if recipe != BASELINE_RECIPE else {},
        against_copy=paired(novel, per_image(runs, species, "copy_input_psnr")),
        **_seeds(metrics, [_metrics_of(run.evaluation, species) for run in baseline if run.evaluation]),
    )


def _seeds(metrics: Sequence[Mapping[str, float]], baseline: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Interval]]:
    """Means over seeds with their intervals, as they are and against the pre-trained model, which has no seed."""
    if len(metrics) < 2:
        return {}
    columns = {name: [values[name] for values in metrics if name in values] for name in SPECIES_METRICS}
    base = {name: mean_of([values.get(name) for values in baseline]) for name in PAIRED_METRICS}
    against = {name: [value - origin for value in columns[name]] for name, origin in base.items() if origin is not None}
    return {"over_seeds": _students(columns), "against_over_seeds": _students(against)}


def _students(columns: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    return {name: interval for name, values in columns.items() if (interval := student_mean(values))}


def _metrics_of(evaluation: Evaluation, species: str) -> Mapping[str, float]:
    # A run about one species may carry its numbers only in the whole; one about many has them by species.
    return evaluation.per_species.get(species) or evaluation.metrics if len(evaluation.per_species) > 1 else evaluation.metrics


def _against(runs: Sequence[StageRun], baseline: Sequence[StageRun], species: str) -> dict[str, Interval]:
    found = {name: paired(per_image(runs, species, name), per_image(baseline, species, name)) for name in PAIRED_METRICS}
    return {name: interval for name, interval in found.items() if interval}


def per_image(runs: Sequence[StageRun], species: str, metric: str) -> dict[str, Number]:
    """Returns the metric of each image of a species, averaged over seeds."""
    values: dict[str, list[Number]] = {}
    for evaluation in (run.evaluation for run in runs if run.evaluation):
        wanted = {key for key, name in zip(evaluation.keys, evaluation.image_species, strict=False) if name == species} or set(
            evaluation.keys
        )
        for key, value in evaluation.by_key(metric).items():
            if key in wanted:
                values.setdefault(key, []).append(value)
    return {key: mean_of(found) for key, found in values.items()}


def trial_rows(stage: Stage) -> list[dict[str, Any]]:
    """Returns one row per trial of a sweep: stage, run, assignment, state, its metrics and the time of a step."""
    return [
        {
            "stage": stage.name,
            "run": run.run,
            "assignment": dict(run.assignment),
            "state": run.state,
            **(dict(sorted(run.evaluation.metrics.items())) if run.evaluation else {}),
            "seconds_per_step": run.seconds_per_step,
        }
        for run in stage.runs
    ]
