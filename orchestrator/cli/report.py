"""`g3dr report`: writes the page and the summary of an experiment again."""

from typing import Annotated

import typer

from orchestrator.report import build_report
from orchestrator.store import open_store


def report(
    name: Annotated[str, typer.Argument(help="Name of the experiment, as its file says.")],
    root: Annotated[str, typer.Option("--root", help="Where the results are: a folder or s3://bucket/prefix.")] = "results",
) -> None:
    """Write the report page and summary.json of an experiment from what is in its results.

    Example: g3dr report quickstart --root results
    """
    store = open_store(root)
    store.check()
    paths = build_report(store, name)
    print(f"Page:    {store.uri}/{paths.index}")
    print(f"Summary: {store.uri}/{paths.summary}")
    print("Next: open the page in a browser; it is one file and needs no network.")
