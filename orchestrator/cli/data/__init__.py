"""`g3dr data`: datasets as shards, packed, looked at, checked, and made up; one verb a file."""

import typer

from orchestrator.cli.data.depth import depth_command
from orchestrator.cli.data.pack import pack_command
from orchestrator.cli.data.procedural import procedural_command
from orchestrator.cli.data.show import show_command
from orchestrator.cli.data.verify import verify_command

app = typer.Typer(help="Make, look at, check and invent datasets.", no_args_is_help=True)
app.command("pack")(pack_command)
app.command("depth")(depth_command)
app.command("show")(show_command)
app.command("verify")(verify_command)
app.command("procedural")(procedural_command)

__all__ = ["app"]
