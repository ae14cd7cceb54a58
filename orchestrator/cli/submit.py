"""`g3dr submit`: runs an experiment as a job of a Ray cluster, and follows it."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.prompt import Confirm

from orchestrator.cli.consoles import console
from orchestrator.cli.options import Changes, ClusterFile, ExperimentFile, PricesFile, Root
from orchestrator.cluster.submitting.address import Address, check_closed, check_trust, read_address
from orchestrator.cluster.submitting.staying import REASONS
from orchestrator.cluster.submitting.tokens import read_token

if TYPE_CHECKING:
    from orchestrator.cluster.submitting.client import Jobs, JobState
    from orchestrator.cluster.submitting.preparing import Parcel

_SHOWN_PATHS = 3


def submit(
    file: ExperimentFile,
    *,
    address: Annotated[str | None, typer.Option(help="URL of the cluster's dashboard; RAY_API_SERVER_ADDRESS without it.")] = None,
    root: Root = None,
    settings: Changes = None,
    env: Annotated[list[str] | None, typer.Option("--env", help="Pass this variable on, by its name; values travel sealed.")] = None,
    working_dir: Annotated[Path | None, typer.Option(help="The folder that travels; the file's checkout, or the current folder.")] = None,
    prices: PricesFile = None,
    cluster: ClusterFile = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first run that fails.")] = False,
    attach: Annotated[bool, typer.Option("--attach", help="Follow a running job of this experiment, whatever its settings are.")] = False,
    follow: Annotated[bool, typer.Option(help="Follow the job; Ctrl-C only ends the following.")] = True,
    insecure: Annotated[bool, typer.Option("--insecure", help="Use a cluster on another machine without a token.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before submitting.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would travel, and end.")] = False,
) -> None:
    """Run an experiment as a job of a Ray cluster, over HTTP; asking again follows the job that runs.

    Packs the checkout in which FILE lies, without data, results and secrets. Ends with the exit code of the job.

    The token of the cluster is looked for in RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH and ~/.ray/auth_token.

    Example: g3dr submit experiments/quickstart.yaml --address http://127.0.0.1:8265 --root s3://bucket/results
    """
    from orchestrator.cluster.submitting.preparing import Order, prepare  # noqa: PLC0415  (--help and wrong addresses do without)

    out, token = console(), read_token(os.environ)
    where = None if dry_run else read_address(address, os.environ)
    if where is not None:
        _warn(check_trust(where, token, insecure=insecure))
    parcel = prepare(Order(file, settings or (), root, env or (), working_dir, prices, cluster, fail_fast), os.environ, token)
    _say_parcel(parcel, out, everything=dry_run)
    if where is None:
        return
    jobs = _connect(where, token, seals=bool(parcel.names), insecure=insecure)
    job, is_new = _place(jobs, parcel, token, out, attach=attach, yes=yes)
    out.print(f"job: {job} on {where.url}{'' if is_new else ', which runs already'}", highlight=False, soft_wrap=True)
    if follow:
        raise typer.Exit(_follow(jobs, job, parcel, out))
    _say_next(parcel, out)


def _warn(sentence: str) -> None:
    if sentence:
        print(sentence, file=sys.stderr)


def _connect(where: Address, token: str | None, *, seals: bool, insecure: bool) -> "Jobs":
    from orchestrator.cluster.submitting.client import Jobs  # noqa: PLC0415  (brings ray)

    jobs = Jobs(where, token)
    _warn(check_closed(where, demands_token=jobs.demands_token(), seals=seals, insecure=insecure))
    return jobs


def _place(jobs: "Jobs", parcel: "Parcel", token: str | None, out: Console, *, attach: bool, yes: bool) -> tuple[str, bool]:
    from orchestrator.cluster.submitting.placing import place, running_job  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "working_dir.zip"
        package.write_bytes(parcel.package)
        errand = parcel.errand(package, os.environ, token)
        is_asked = not yes and sys.stdin.isatty() and running_job(jobs.all(), errand.prefix) is None
        if is_asked and not Confirm.ask("submit?", console=out, default=True):
            raise typer.Exit(1)
        return place(jobs, errand, attach=attach)


def _follow(jobs: "Jobs", job: str, parcel: "Parcel", out: Console) -> int:
    """Shows the job until it ends, and returns its exit code; Ctrl-C leaves it running."""
    from orchestrator.cli.following import JobScreen, StoreLook  # noqa: PLC0415
    from orchestrator.cluster.submitting.following import LostError, follow  # noqa: PLC0415

    out.print("Ctrl-C ends the following, not the job", markup=False, style="dim")
    try:
        with JobScreen(out, StoreLook(parcel.store, parcel.experiment.name)) as screen:
            state = follow(jobs, job, screen.show, screen.tell)
    except KeyboardInterrupt:
        out.print(f"\ndetached: job {job} goes on", highlight=False)
        _say_next(parcel, out)
        return 0
    except LostError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return _exit_code(state)


def _exit_code(state: "JobState") -> int:
    """Returns the exit code of the job's command, 1 where that is not one."""
    if state.state == "SUCCEEDED":
        return 0
    if state.state == "STOPPED":
        print(f"error: somebody stopped job {state.job}; what was done is kept, the same command goes on", file=sys.stderr)
        return 1
    if state.exit_code is None:
        print(
            f"error: job {state.job} did not start; is this project installed on the cluster? Ray says: {state.sentence}", file=sys.stderr
        )
        return 1
    print(f"job {state.job} ended with exit code {state.exit_code}", file=sys.stderr)
    return state.exit_code if 0 < state.exit_code < 256 else 1


def _say_next(parcel: "Parcel", out: Console) -> None:
    name, root = parcel.experiment.name, parcel.store.uri
    words = f"the same command follows it again; g3dr status {name} --root {root} looks at it; g3dr stop {name} --root {root} ends it"
    out.print(f"next: {words}", markup=False, soft_wrap=True)


def _say_parcel(parcel: "Parcel", out: Console, *, everything: bool) -> None:
    """Says what travels and what does not."""
    contents = parcel.contents
    if everything:
        for path, size in contents.sizes.items():
            out.print(f"{size:>11,}  {path}", markup=False, soft_wrap=True)
    count = len(contents.sizes)
    sizes = f"{count:,} file{'' if count == 1 else 's'}, {_amount(contents.size)}, {_amount(len(parcel.package))} packed"
    source = "" if contents.checkout else " (no checkout: what .gitignore and .rayignore do not name)"
    out.print(f"package: {sizes}, of {contents.folder}{source}", markup=False, soft_wrap=True)
    for reason, paths in contents.staying.items():
        shown = paths if everything else paths[:_SHOWN_PATHS]
        more = "" if len(shown) == len(paths) else ", ..."
        out.print(f"  stays here: {len(paths):,} {REASONS[reason]}: {', '.join(shown)}{more}", markup=False, soft_wrap=True)
    if parcel.names:
        out.print(f"environment: {', '.join(parcel.names)}, sealed with the cluster's token", markup=False, soft_wrap=True)
    if parcel.folders:
        out.print(f"every machine of the cluster must see {', '.join(parcel.folders)}", markup=False, soft_wrap=True)
    if everything:
        out.print("next: the same command with --address, without --dry-run", markup=False)


def _amount(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
