"""The arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

ExperimentFile = Annotated[Path, typer.Argument(help="An experiment file.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Replace a value: training.steps=100, stages.pretrain.workers=1.")]
Root = Annotated[str | None, typer.Option(help="Where everything is kept: a folder or s3://bucket/prefix.")]
