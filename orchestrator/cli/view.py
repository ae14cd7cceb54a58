"""`g3dr view`: reports and running experiments in a browser on this machine."""

from typing import Annotated

import typer

from orchestrator.cli.consoles import console
from orchestrator.cli.options import WhereRoot
from orchestrator.store import open_store


def view(
    root: WhereRoot = "results",
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; 8700, or a free one if that is taken.", min=1, max=65535)] = None,
) -> None:
    """Serve the reports and live pages of all experiments on 127.0.0.1: curves, runs, errors, pictures as they come.

    Only looks: nothing can be changed through it, and other machines cannot reach it. Ctrl-C ends it; what is computed goes on.

    Example: g3dr view --root results
    """
    from orchestrator.viewing import serve  # noqa: PLC0415  (the browser's part is read only when it is asked for)

    store, out = open_store(root), console()
    store.check()
    with serve(store, port) as server:
        out.print(f"{store.uri}: {server.url}", markup=False, soft_wrap=True)
        out.print("next: open this address in a browser of this machine; Ctrl-C ends the serving", markup=False)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("ended", markup=False)
