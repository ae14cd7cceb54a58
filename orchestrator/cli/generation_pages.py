"""What `g3dr generate` says of a set as a whole: its figures, its page, and its place in the ledger."""

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table

from orchestrator.cli.consoles import console
from orchestrator.cli.generation_parts import PAGE
from orchestrator.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.generating.drawing import Drawn
    from orchestrator.generating.objects import Written
    from orchestrator.generating.records import SetRecord
    from orchestrator.shards.selection import Selection

EVALUATION = "evaluation.json"


def evaluated(
    selection: "Selection", drawn: "Sequence[Drawn]", written: "Written", *, root: Store, out: Store, device: str
) -> dict[str, Any]:
    """Measures what was drawn against a data set, writes the record beside it, prints it and returns it.

    Raises:
        DataError: The data set lacks a species, or there are too few pictures on a side.
    """
    import numpy as np  # noqa: PLC0415

    from orchestrator.generating.measuring import GeneratedSet, measure_set  # noqa: PLC0415

    made = GeneratedSet(np.stack([one.picture for one in drawn]), [one.subject for one in drawn], written.depths)
    record = measure_set(made, selection, root, device=device)
    out.write_bytes(EVALUATION, json.dumps(record, indent=1).encode())
    table = Table(title=f"{len(drawn)} pictures, {record['images']} of each side compared, seen by {record['extractor']['name']}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in record["metrics"].items():
        table.add_row(name, f"{value:.4g}")
    console().print(table)
    return record


def published(record: "SetRecord", run: str, *, root: Store, out: Store) -> None:
    """Writes the page of a set and, if it was measured and one of our runs drew it, keeps it in the ledger for the experiment's page.

    Args:
        record: The set, whose files lie in `out`.
        run: The denoiser's run; empty if it is no run of the results.
        root: Where results are kept.
        out: Gets the page.
    """
    from orchestrator.generating.records import keep  # noqa: PLC0415
    from orchestrator.report.generated import write_generated  # noqa: PLC0415

    write_generated(out, PAGE, record.to_json())
    if run and record.evaluation is not None:
        keep(record, run, root)
        console().print(f"kept in {root.uri}/runs/{run}/generated: `g3dr report` shows it beside the denoiser", markup=False)
