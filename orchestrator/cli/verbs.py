"""The verbs of `g3dr`: one module each, imported when it is asked for, so that a look at a running experiment starts at once."""

import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from orchestrator.cli.interruption import Interruption

if TYPE_CHECKING:
    from typer._click import Command  # Typer carries its Click with it

VERBS = (
    "run",
    "submit",
    "plan",
    "status",
    "logs",
    "stop",
    "retry",
    "prune",
    "profile",
    "validate",
    "schema",
    "report",
    "view",
    "reconstruct",
    "generate",
    "demo",
    "evaluate",
    "depth-analysis",
    "boosting-analysis",
)
"""Each is the function of this name in the module of this name, with _ for -."""

GROUPS = ("cluster", "data", "weights")
"""Each is the `app` of the module of this name, with verbs of its own."""


class Commands(MutableMapping[str, "Command"]):
    """All verbs by name; a module is imported when its verb is taken out."""

    def __init__(self) -> None:
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> "Command":
        if name not in (*VERBS, *GROUPS):
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _command(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        yield from (*VERBS, *GROUPS)

    def __len__(self) -> int:
        return len(VERBS) + len(GROUPS)

    def __contains__(self, name: object) -> bool:
        return name in (*VERBS, *GROUPS)

    def __setitem__(self, name: str, command: "Command") -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]


def _command(name: str) -> "Command":
    python_name = name.replace("-", "_")
    module = import_module(f"orchestrator.cli.{python_name}")
    if name in GROUPS:
        command: Command = typer.main.get_group(module.app)
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(getattr(module, python_name))
        command = typer.main.get_command(alone)
    command.name = name
    return command


class Verbs(TyperGroup):
    """The verbs; an interruption ends with what to do next, which Typer would leave out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = Commands()

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb that was asked for."""
        with Interruption() as interruption:
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt:
                print("interrupted: run the same command again to continue where it stopped", file=sys.stderr)
                raise typer.Exit(interruption.exit_code) from None
