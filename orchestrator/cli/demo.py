"""`g3dr demo`: photographs become objects in a browser."""

import os
import sys
import webbrowser
from typing import Annotated

import typer

from orchestrator.cli.consoles import console
from orchestrator.cli.devices import device_named
from orchestrator.cli.options import WhereRoot
from orchestrator.store import open_store

_THIS_MACHINE = "127.0.0.1"


def demo(
    *,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="The model to begin with: EXPERIMENT/STAGE, a folder of a run or checkpoint, or a URI; else the quickstart's."),
    ] = None,
    root: WhereRoot = "results",
    port: Annotated[int | None, typer.Option(help="Port; 7860, or a free one if that is taken.", min=1, max=65535)] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. There is no password: with any other than 127.0.0.1 whoever reaches it may use it.")
    ] = _THIS_MACHINE,
    estimator: Annotated[str | None, typer.Option(help="Who estimates depth: network, which comes along, or transformers.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of transformers: folder, s3://bucket/prefix or OWNER/MODEL. Of network: one of your own trainings.")
    ] = None,
    open_page: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the page in a browser; by default only where there is a screen.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Try it in a browser: drop a photo, turn the object, keep it as GLB, PLY and video.

    Works without a network: depth comes from the network that this package brings along. Ctrl-C ends it; nothing is written.

    Example: g3dr demo --checkpoint quickstart/pretrain
    """
    from orchestrator.demo.models import choice  # noqa: PLC0415  (each only once there is something to show)

    store, out = open_store(root), console()
    store.check()
    first = choice(store, checkpoint)[0]
    chosen = device_named(device)

    from orchestrator.demo.helpers import helpers  # noqa: PLC0415
    from orchestrator.demo.opening import opened  # noqa: PLC0415
    from orchestrator.depth.recipes import Wishes  # noqa: PLC0415
    from orchestrator.reconstruction import ReconstructionOptions  # noqa: PLC0415

    found = helpers(estimator, Wishes(weights, device=device, results=root))
    with opened(store, found, ReconstructionOptions(), chosen, checkpoint=checkpoint, port=port, host=host) as server:
        out.print(f"{server.url}: {first.label} from {store.uri}, depth from {found.depth.name}", markup=False, soft_wrap=True)
        if host != _THIS_MACHINE:
            out.print(
                f"listening on {host}: whoever reaches this port can use the page, there is no password", markup=False, soft_wrap=True
            )
        out.print("next: open this address in a browser and drop a photo on the page; Ctrl-C ends the demo", markup=False, soft_wrap=True)
        if has_screen() if open_page is None else open_page:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("ended", markup=False)


def has_screen() -> bool:
    """Tells whether a browser that is opened here can be seen by who asks for it."""
    if "SSH_CONNECTION" in os.environ or not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
