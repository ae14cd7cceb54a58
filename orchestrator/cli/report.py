"""`g3dr report`: writes the page, the tables and the summary of an experiment again, or a page that compares several."""

from typing import Annotated

import typer

from orchestrator.cli.options import PricesFile, WhereRoot
from orchestrator.planning.prices import read_prices
from orchestrator.report import ReportPaths, build_comparison, build_report
from orchestrator.store import Store, open_store

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME", help="Of the experiment, as its file says; several are compared. NAME@ROOT if it lies elsewhere."),
]


def report(names: Names, root: WhereRoot = "results", prices: PricesFile = None) -> None:
    """Write the report page of an experiment, or one that compares several, from what is in the results.

    The others are compared with the first, image by image where both measured the same images.

    Example: g3dr report quickstart --root results

    Example: g3dr report quickstart longer quickstart@s3://bucket/other
    """
    place = names[0].partition("@")[2] if len(names) == 1 else ""
    store = open_store(place or root)
    store.check()
    paths = _build(store, names, prices)
    print(f"Page:    {store.uri}/{paths.index}")
    print(f"Summary: {store.uri}/{paths.summary}")
    print(f"Tables:  {store.uri}/{paths.folder}/tables, {len(paths.tables)} files (CSV and LaTeX)")
    print("Next: open the page in a browser; it is one file and needs no network.")


def _build(store: Store, names: list[str], prices: str | None) -> ReportPaths:
    if len(names) > 1:
        return build_comparison(store, names)
    return build_report(store, names[0].partition("@")[0], prices=read_prices(prices))
