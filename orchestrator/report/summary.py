"""`summary.json`: the report's numbers for programs.

Measured times stand only in fields whose names hold `seconds` (and in `training_cost`, where there are prices), and the time of
writing in `created`: two reports of the same experiment can be compared without them.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.planning.prices import Prices
from orchestrator.report.generated.sections import generated_fields
from orchestrator.report.networks import network_fields
from orchestrator.report.provenance import Spent, origins, spent, weights
from orchestrator.report.records import StageRun, Study
from orchestrator.report.results import Headline, SpeciesRow, trial_rows
from orchestrator.report.statistics import Interval
from orchestrator.report.study import analyse
from orchestrator.report.variants import variants, variants_fields


def summarize(study: Study, head: Headline | None, rows: list[SpeciesRow], created: str, prices: Prices | None = None) -> dict[str, Any]:
    """Returns the summary as a JSON object; keys always come in the same order."""
    return {
        "experiment": study.name,
        "created": created,
        "git": dict(sorted(study.git.items())),
        "datasets": {
            dataset.name: {"version": dataset.version, "rows": dataset.rows, "depth": dataset.depth.told if dataset.version else None}
            for dataset in study.datasets
        },
        **_headline_fields(head),
        "lineage": {
            "weights": [asdict(item) for item in weights(study)],
            "origins": [asdict(item) for item in origins(study)],
        },
        "spent": _spent_fields(spent(study, prices)),
        "stages": [
            {
                "name": stage.name,
                "kind": stage.kind,
                "seconds": stage.seconds,
                "runs": len(stage.runs),
                "states": _states(stage.runs),
                "best": stage.best,
            }
            for stage in study.stages
        ],
        "species": [_species_fields(row) for row in rows],
        "networks": network_fields(study),
        "generated": generated_fields(study),
        "variants": variants_fields(variants(study)),
        "compared": _compared(study),
        "sweep": [trial for stage in study.of_kind("sweep") for trial in trial_rows(stage)],
    }


def _compared(study: Study) -> dict[str, Any] | None:
    found = analyse(study)
    return found.fields if found else None


def _spent_fields(taken: Spent) -> dict[str, Any]:
    return {
        "runs": taken.runs,
        "steps": taken.steps,
        "wall_seconds": taken.wall_seconds,
        "training_seconds": taken.training_seconds,
        "training_cost": taken.amount,
        "currency": taken.currency or None,
    }


def _states(runs: Sequence[StageRun]) -> dict[str, int]:
    states = [run.state for run in runs]
    return {state: states.count(state) for state in sorted(set(states))}


def _headline_fields(head: Headline | None) -> dict[str, Any]:
    metrics = head.evaluation.metrics if head else {}
    novel, copy = metrics.get("novel_psnr"), metrics.get("copy_input_psnr")
    return {
        "run": head.run.run if head else None,
        "images": head.evaluation.images if head else 0,
        "views": head.evaluation.views if head else 0,
        "novel_psnr": novel,
        "copy_input_psnr": copy,
        "gain_db": novel - copy if novel is not None and copy is not None else None,
        "gain_db_interval": _interval(head.gain if head else None),
        "canonical_psnr": metrics.get("canonical_psnr"),
        "depth_rmse": metrics.get("depth_rmse"),
        "novel_depth_rmse": metrics.get("novel_depth_rmse"),
        "extractor": {"name": head.evaluation.extractor, "sha256": head.evaluation.extractor_hash} if head else None,
    }


def _species_fields(row: SpeciesRow) -> dict[str, Any]:
    return {
        "stage": row.stage,
        "species": row.species,
        "recipe": row.recipe,
        "run": row.runs[0].run,
        "runs": [_run_fields(run) for run in row.runs],
        "images": row.images,
        **row.metrics,
        "against_pre_trained": {name: _interval(interval) for name, interval in row.against_baseline.items()},
        "extractor": row.extractor or None,
    }


def _run_fields(run: StageRun) -> dict[str, Any]:
    return {"run": run.run, "seed": run.seed, "state": run.state, "seconds_per_step": run.seconds_per_step}


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "images": interval.count}
