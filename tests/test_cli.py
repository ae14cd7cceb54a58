"""Every verb explains itself with an example."""

import pytest
from typer.testing import CliRunner

from orchestrator.cli import verbs
from orchestrator.cli.main import app, main

pytestmark = pytest.mark.unit
VERBS = [(name,) for name in verbs.VERBS] + [(group, name) for group in verbs.GROUPS for name in verbs.Commands()[group].commands]


@pytest.mark.parametrize("verb", [(), *VERBS], ids=" ".join)
def test_help_has_an_example(verb):
    result = CliRunner().invoke(app, [*verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: {' '.join(('g3dr', *verb))}" in " ".join(result.output.split())


def test_an_interruption_says_how_to_go_on(monkeypatch, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.data.verify.open_store", interrupted)
    monkeypatch.setattr("sys.argv", ["g3dr", "data", "verify", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err
