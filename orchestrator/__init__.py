"""Ray, files, object storage and people around the method in `g3dr`: plan, run, evaluate and report experiments.

import orchestrator as o
e = o.load("experiments/quickstart.yaml")
e.plan(); e.run(); e.results()
"""

from typing import TYPE_CHECKING, Any

from g3dr import __version__

if TYPE_CHECKING:
    from orchestrator.api import LoadedExperiment, load

__all__ = ["LoadedExperiment", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Imports the Python interface when it is first asked for: workers and the command line do without."""
    if name not in ("load", "LoadedExperiment"):
        raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
    from orchestrator import api  # noqa: PLC0415

    return getattr(api, name)
