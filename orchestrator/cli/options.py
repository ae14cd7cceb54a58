"""The arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

ExperimentFile = Annotated[Path, typer.Argument(help="An experiment file.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Replace a value: training.steps=100; take one out: ~stages.loss_sweep.")]
Root = Annotated[str | None, typer.Option(help="Where everything is kept: a folder or s3://bucket/prefix.")]
PricesFile = Annotated[str | None, typer.Option("--prices", help="Your prices of machines (docs/plan.md); G3DR_PRICES without it.")]
ClusterFile = Annotated[
    str | None,
    typer.Option("--cluster", help="Plan for what this cluster.yaml or KubeRay manifest can grow to (docs/clusters.md)."),
]
WhereRoot = Annotated[str, typer.Option("--root", help="Where the results are: a folder or s3://bucket/prefix.")]
