"""The notebook in docs/ runs from its first cell to its last, on a cluster of its own, and shows what it promises."""

import ast
from pathlib import Path

import nbformat
import pytest
from notebooks import executed, pictures, texts

NOTEBOOK = Path(__file__).parent.parent / "docs" / "quickstart.ipynb"


@pytest.mark.unit
def test_the_notebook_is_kept_without_outputs_and_is_python():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    assert len([ast.parse(cell.source) for cell in cells]) == len(cells) > 6


@pytest.mark.ray
def test_the_notebook_runs(tmp_path, ray_environment):
    notebook = executed(NOTEBOOK, tmp_path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    before, after = (cell for cell in cells if cell.source == "e.plan()")
    assert "unknown" in before.outputs[0]["data"]["text/html"]
    assert "unknown" not in after.outputs[0]["data"]["text/html"]
    [results] = [cell for cell in cells if cell.source.startswith("results = e.results()")]
    assert texts(results).count("finished") == 4  # the pretraining, two losses, and the measurement
    assert sum(len(pictures(cell)) for cell in cells) == 2  # the curve and the animal
    unwanted = [output for cell in cells for output in cell.outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert unwanted == []
