"""The command `g3dr`: collects the verbs and turns errors into one sentence and an exit code.

Exit codes: 0 done, 1 a run failed or damage was found, 2 the input cannot be used, 130 Ctrl-C, 143 SIGTERM.
"""

import logging
import os
import sys
from typing import Annotated

import typer

from g3dr import __version__
from g3dr.errors import G3drError
from orchestrator.cli.verbs import Verbs

EXAMPLE = "Example: g3dr plan experiments/quickstart.yaml, then g3dr run experiments/quickstart.yaml"


app = typer.Typer(
    name="g3dr",
    cls=Verbs,
    help="3D objects from single images: train, sweep, fine-tune and evaluate G3DR on Ray.",
    epilog=EXAMPLE,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        print(f"g3dr {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and every log line.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """3D objects from single images: train, sweep, fine-tune and evaluate G3DR on Ray."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def main() -> None:
    """Runs the command line; the only place where errors become exit codes."""
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(["--debug", *arguments] if debug else arguments, standalone_mode=True)
    except G3drError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
