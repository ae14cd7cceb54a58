"""Every verb explains itself with an example."""

import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app

pytestmark = pytest.mark.unit
VERBS = [(command.name or command.callback.__name__,) for command in app.registered_commands] + [
    (group.name, command.name or command.callback.__name__)
    for group in app.registered_groups
    for command in group.typer_instance.registered_commands
]


@pytest.mark.parametrize("verb", [(), *VERBS], ids=" ".join)
def test_help_has_an_example(verb):
    result = CliRunner().invoke(app, [*verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: {' '.join(('g3dr', *verb))}" in " ".join(result.output.split())
