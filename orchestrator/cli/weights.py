"""`g3dr weights`: published checkpoints in and out, and where pretrained networks come from."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from g3dr.errors import CheckpointError
from orchestrator.cli import consoles
from orchestrator.store import Store, open_parent, open_store, without_credentials

if TYPE_CHECKING:
    from g3dr.backbones.status import WeightsStatus
    from g3dr.published import Imported

app = typer.Typer(help="Published checkpoints in and out, and where pretrained networks come from.", no_args_is_help=True)
console = consoles.console()

Layout = Literal["training", "lightning", "bare"]


@contextmanager
def _busy(what: str) -> Iterator[None]:
    """Shows that something takes its time: it turns on a terminal, and is one line elsewhere."""
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what)
        yield


@app.command("import")
def import_command(
    file: Annotated[
        str, typer.Argument(help="checkpoint_generic.pt or the like: a path, s3:// or https://, #sha256=... behind it to check.")
    ],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Where the checkpoint goes: a folder or s3://bucket/prefix.")],
    *,
    resolution: Annotated[int | None, typer.Option(help="Side of the planes, pixels; only where the file has no position map.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a checkpoint that is there already.")] = False,
) -> None:
    """Turn a published checkpoint into one of ours: tensors only, checked one by one, its configuration read from their shapes.

    Example: g3dr weights import checkpoint_generic.pt results/published
    """
    from g3dr.backbones import sha256_of  # noqa: PLC0415  (brings torch)
    from g3dr.published import import_published  # noqa: PLC0415
    from g3dr.training.checkpoint import write_checkpoint  # noqa: PLC0415
    from g3dr.training.layout import INDEX  # noqa: PLC0415
    from orchestrator.computing.fetching import local_file  # noqa: PLC0415

    store = open_store(destination)
    _refuse_existing(store, INDEX, destination, replace=replace)
    with _busy(f"reading {without_credentials(file)}"):
        path = local_file(file)
        imported = import_published(path, resolution)
        sha256 = sha256_of(path)
    with _busy(f"writing {destination}"):
        for name, data in write_checkpoint(imported.checkpoint).items():
            store.write_bytes(name, data)
    _describe_import(imported, path.stat().st_size, sha256)
    console.print(f"Next: g3dr reconstruct PHOTO --checkpoint {store.uri}, or start a stage with `from: {store.uri}`", soft_wrap=True)


def _refuse_existing(store: Store, name: str, where: str, *, replace: bool) -> None:
    store.check()
    if not replace and store.exists(name):
        raise CheckpointError(f"{where}: there is something here already; name another place, or add --replace")


def _describe_import(imported: "Imported", size: int, sha256: str) -> None:
    checkpoint, file = imported.checkpoint, imported.file
    parameters = sum(tensor.numel() for tensor in checkpoint.model.values())
    console.print(f"found {len(checkpoint.model)} tensors, {parameters:,} parameters, {checkpoint.step:,} steps, {size:,} bytes")
    console.print(f"SHA-256 {sha256}", soft_wrap=True)
    if checkpoint.config is not None:
        generator, decoder = checkpoint.config.generator, checkpoint.config.renderer.decoder_width
        multipliers = ", ".join(str(multiplier) for multiplier in generator.multipliers)
        attention = "with" if generator.attention else "without"
        console.print(
            f"a generator at {generator.resolution} px, width {generator.width}, multipliers {multipliers}, {generator.position_channels} "
            f"position channels, {generator.features} features, decoder width {decoder}, {attention} attention, published plane layout",
            soft_wrap=True,
        )
    console.print(f"layout: {file.layout}, names begin with {file.prefix!r}")
    if file.others:
        console.print(f"left out: {file.others} tensors of other networks")
    moments = f"left out: {imported.left_out}" if imported.left_out else f"taken over for {len(checkpoint.optimizer) // 2} tensors"
    console.print(f"optimizer state {moments}", soft_wrap=True)


@app.command("export")
def export_command(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A checkpoint's or run's folder, a URI, or EXPERIMENT/STAGE.")],
    file: Annotated[str, typer.Argument(help="The file to write: a path or s3://bucket/name.pt.")],
    *,
    layout: Annotated[
        Layout, typer.Option(help="training: {step, model, opt, scheduler}; lightning: names with unet_model.; bare: tensors alone.")
    ] = "training",
    root: Annotated[str, typer.Option(help="Where results are kept: a folder or s3://bucket/prefix.")] = "results",
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file that is there already.")] = False,
) -> None:
    """Write a checkpoint in the layout of published ones, which other G3DR programs read.

    Example: g3dr weights export study/pretrain mine.pt --root results
    """
    import torch  # noqa: PLC0415

    from g3dr.published import to_published  # noqa: PLC0415
    from orchestrator.checkpoints import read_found  # noqa: PLC0415

    target, file_name = open_parent(file)
    _refuse_existing(target, file_name, file, replace=replace)
    with _busy(f"reading {name}"):
        checkpoint = read_found(name, open_store(root))
        document = to_published(checkpoint, layout, name)
    with _busy(f"writing {file}"):
        buffer = io.BytesIO()
        torch.save(document, buffer)
        target.write_bytes(file_name, buffer.getvalue())
    optimizer = "with Adam's moments" if checkpoint.optimizer and layout != "bare" else "without optimizer state"
    console.print(f"{file}: {layout} layout, {len(checkpoint.model)} tensors, step {checkpoint.step:,}, {optimizer}", soft_wrap=True)
    console.print(f"Next: check it with g3dr weights import {file} DEST", soft_wrap=True)


@app.command("status")
def status_command(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the pretrained networks: what each is for, where it was found, its licence and size, and what to do if it is missing.

    Example: g3dr weights status
    """
    from g3dr.backbones.status import weights_status  # noqa: PLC0415  (brings torch)

    found = weights_status()
    if as_json:
        print(json.dumps([asdict(entry) for entry in found], indent=1))
        return
    console.print(_table(found) if console.is_terminal else "\n".join(_line(entry) for entry in found), markup=False)
    for entry in found:
        if entry.advice:
            console.print(f"{entry.name}: {entry.advice}", markup=False, soft_wrap=True)
    missing = [entry.name for entry in found if entry.state != "ready"]
    console.print(
        "Next: "
        + (f"bring {missing[0]} as said above, or choose efficientnet_lite0 in the experiment file" if missing else "g3dr plan FILE")
    )


@app.command("fetch")
def fetch_command() -> None:
    """Fetch the weights for which a setting names a URI, and those that may be downloaded, so that later runs find them here.

    Example: g3dr weights fetch, with G3DR_WEIGHTS_VGG16=s3://bucket/vgg16-397923af.pth#sha256=... in the environment
    """
    from g3dr.backbones import find_weights  # noqa: PLC0415  (brings torch)
    from g3dr.backbones.status import weights_status  # noqa: PLC0415
    from orchestrator.computing.fetching import fetch_weights  # noqa: PLC0415

    wanted = [entry for entry in weights_status() if entry.state == "not fetched"]
    for entry in wanted:
        with _busy(f"fetching {entry.name}"):
            path = fetch_weights([entry.name]).get(entry.name) or find_weights(entry.name)
        console.print(f"{entry.name}: {path}", soft_wrap=True)
    console.print(f"{len(wanted)} fetched. Next: g3dr weights status")


def _table(found: "list[WeightsStatus]") -> Any:
    table = Table(box=None, pad_edge=False)
    for title in ("network", "for", "state", "source", "size", "licence", "SHA-256"):
        table.add_column(title, justify="right" if title == "size" else "left")
    for entry in found:
        table.add_row(entry.name, entry.purpose, entry.state, _source(entry), _size(entry), entry.licence, (entry.sha256 or "-")[:8])
    return table


def _line(entry: "WeightsStatus") -> str:
    sha256 = (entry.sha256 or "-")[:8]
    return f"{entry.name:<20} {entry.state:<12} {_size(entry):>9}  {sha256:<8}  {_source(entry)}; {entry.purpose}; {entry.licence}"


def _source(entry: "WeightsStatus") -> str:
    """A missing file has no source yet; what to fetch is said below the table."""
    return "-" if entry.state == "missing" and entry.path is None and "=" not in entry.source else entry.source


def _size(entry: "WeightsStatus") -> str:
    about = "" if entry.path else "about "
    return f"{about}{entry.size / 1e6:,.0f} MB" if entry.size >= 1e6 else f"{about}{entry.size / 1e3:,.0f} kB"
