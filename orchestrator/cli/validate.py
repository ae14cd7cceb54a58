"""`g3dr validate`: checks experiment files."""

from pathlib import Path
from typing import Annotated

import typer

from g3dr.errors import G3drError
from orchestrator.cli.options import Changes
from orchestrator.experiment.loading import load_experiment
from orchestrator.experiment.problems import ExperimentError


def validate(
    files: Annotated[list[Path], typer.Argument(help="Experiment files; - is standard input.", metavar="FILE...")],
    settings: Changes = None,
) -> None:
    """Check experiment files and list everything that is wrong in them.

    Example: g3dr validate experiments/quickstart.yaml --set training.batch_size=8
    """
    faults = []
    for file in files:
        try:
            experiment = load_experiment(file, settings or ())
        except ExperimentError as error:
            faults.append(str(error))
        else:
            print(f"{file}: fine, {len(experiment.stages)} stages: {', '.join(stage.name for stage in experiment.stages)}")
    if faults:
        raise G3drError("\n".join(faults))
    print(f"Next: g3dr plan {files[0]}")
