"""`g3dr data verify`: is every byte still what was packed?"""

from typing import Annotated

import typer

from orchestrator.cli import consoles
from orchestrator.cli.data.words import plural
from orchestrator.cli.progress import progress
from orchestrator.store import open_store

_MEGABYTE = 10**6


def verify_command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset: a folder or s3://bucket/prefix.")],
    *,
    version: Annotated[str, typer.Option(help="An earlier version, or its first letters.")] = "",
) -> None:
    """Read a whole dataset again: checksums, rows, and every picture. Exits with 1 if anything is damaged.

    Example: g3dr data verify s3://my-bucket/datasets/birds
    """
    from orchestrator.shards import verify  # noqa: PLC0415  (brings pyarrow)

    console = consoles.console()
    with progress("verifying", "MB") as move:
        problems = verify(open_store(dataset), lambda done, total: move(-(-done // _MEGABYTE), -(-total // _MEGABYTE)), version)
    if not problems:
        console.print(f"{dataset}: every shard is intact")
        console.print("Next: name it in an experiment file, and look at the plan with `g3dr plan FILE`")
        return
    for problem in problems:
        console.print(str(problem), markup=False)
    found = plural(len(problems), "problem")
    console.print(f"{dataset}: {found}. Next: delete the shards named above and pack the same source again")
    raise typer.Exit(1)
