"""`g3dr profile`: where the time and the memory of a training step go."""

from typing import Annotated

import typer

from orchestrator.cli.options import Changes, ExperimentFile


def profile(
    file: ExperimentFile,
    *,
    stage: Annotated[str | None, typer.Option(help="A stage that trains; the first one if not given.")] = None,
    settings: Changes = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Measured steps of each kind; else as many as take about two seconds.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    random_weights: Annotated[bool, typer.Option("--random-weights", help="Measure networks whose weights are missing too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show where the time and the memory of a training step go, part by part, and which setting changes that.

    Measures one worker on random pictures of the right size, without Ray and without any data set. Reading and decoding
    a data set that does not fit into memory, and what several workers tell each other, are not in it.

    Example: g3dr profile experiments/quickstart.yaml
    """
    from orchestrator.cli.profile_stage import Measurement, profile_stage  # noqa: PLC0415  (brings torch)

    profile_stage(file, Measurement(stage, settings or (), steps, device, random_weights, as_json))
