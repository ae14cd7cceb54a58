"""`g3dr schema`: writes or checks the JSON schema of experiment files."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.experiment.schema import schema_text


def schema(
    path: Annotated[Path, typer.Argument(help="Where the schema is kept.")] = Path("experiments/schema.json"),
    check: Annotated[bool, typer.Option("--check", help="Only check that the file is up to date; exit code 1 if it is not.")] = False,
) -> None:
    """Write the JSON schema of experiment files, which editors use for completion.

    Example: g3dr schema --check
    """
    text = schema_text()
    if check:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is out of date: run g3dr schema")
            raise typer.Exit(1)
        print(f"{path} is up to date")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
