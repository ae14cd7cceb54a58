"""Executes a notebook as a person would, in a kernel and a folder of its own."""

import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


def executed(path: Path, folder: Path, seconds: int = 540) -> Any:
    """Returns the notebook with the outputs of all its cells.

    Args:
        path: The notebook.
        folder: Where its kernel works.
        seconds: That one cell may take.

    Raises:
        CellExecutionError: A cell raised an error.
    """
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    environment = {**os.environ, "PYTHONPATH": str(path.parent.parent), "IPYTHONDIR": str(folder / "ipython")}
    client = NotebookClient(notebook, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return notebook


def texts(cell: Any) -> str:
    """Returns what a cell printed and showed as text."""
    outputs = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(outputs)


def pictures(cell: Any) -> list[str]:
    """Returns the PNGs that a cell showed, as base64."""
    return [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
