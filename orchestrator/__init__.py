"""Ray, files, object storage and people around the method in `g3dr`: plan, run, evaluate and report experiments."""

from g3dr import __version__

__all__ = ["__version__"]
