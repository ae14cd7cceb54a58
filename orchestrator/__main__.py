"""`python -m orchestrator` is the command `g3dr`."""

from orchestrator.cli.main import main

main()
