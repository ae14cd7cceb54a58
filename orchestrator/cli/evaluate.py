"""`g3dr evaluate`: measures one checkpoint on a packed data set."""

import json
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console

from g3dr.errors import ConfigError
from orchestrator.cli.consoles import console
from orchestrator.cli.data.words import words
from orchestrator.cli.devices import device_named
from orchestrator.cli.options import WhereRoot
from orchestrator.cli.progress import progress
from orchestrator.evaluating.data import find_selection
from orchestrator.evaluating.subject import Subject, find_subject
from orchestrator.experiment.settings import EvaluationSettings, Extractor
from orchestrator.runs import EvaluationSpec
from orchestrator.store import open_store

if TYPE_CHECKING:
    from orchestrator.evaluating.measuring import Job, Share

_DEFAULTS = EvaluationSettings()


def evaluate(
    checkpoint: Annotated[
        str, typer.Argument(help="A run's id or its beginning, EXPERIMENT/STAGE, the folder or URI of a run or checkpoint, a .safetensors.")
    ],
    *,
    data: Annotated[str, typer.Option("--data", help="A packed data set: its folder or URI, or its name below the root.")],
    root: WhereRoot = "results",
    images: Annotated[int, typer.Option(help="Images to measure, species in turn.")] = _DEFAULTS.images,
    views: Annotated[int | None, typer.Option(help="True novel views of each; all of them if it is not given.")] = None,
    seed: Annotated[int, typer.Option(help="Of cameras where no true views are known, and of the pictures compared.")] = _DEFAULTS.seed,
    extractor: Annotated[str, typer.Option(help="Network of the distributions: efficientnet_lite0 or inception_v3.")] = _DEFAULTS.extractor,
    split: Annotated[str, typer.Option(help="test or train.")] = _DEFAULTS.split,
    species: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    tasks: Annotated[int, typer.Option(help="Share the images out among so many Ray tasks; 0 measures in this process.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    listed: Annotated[str, typer.Option("--list-as", help="Name of the experiment that lists it, for g3dr report.")] = "evaluations",
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON, for programs.")] = False,
) -> None:
    """Measure a checkpoint: view quality, depth, NFS and distributions, with intervals and floors.

    The record goes into the ledger of the root: to the run's own evaluations if it is the last checkpoint of one, else below an id made
    from the checkpoint's content. What the ledger has already is not measured again.

    Example: g3dr evaluate quickstart/pretrain --data animals
    """
    settings = EvaluationSettings(images=images, views=views, extractor=_extractor(extractor), seed=seed, split=_split(split))
    if tasks < 0:
        raise ConfigError("--tasks", tasks, "0 or more")
    store = open_store(root)
    store.check()
    subject = find_subject(checkpoint, store)
    selection = find_selection(data, store, settings.split, words(species) if species else None)

    # Imported here: torch takes seconds, which a misspelt name should not.
    from orchestrator.evaluating.listing import list_evaluation  # noqa: PLC0415
    from orchestrator.evaluating.measuring import Job  # noqa: PLC0415
    from orchestrator.ledger import Ledger  # noqa: PLC0415

    spec = EvaluationSpec.of(settings, selection.version, selection.species)
    job, start = Job(subject.uri, spec, selection.dataset, store.uri, str(device_named(device))), time.monotonic()
    record = _measured(job, subject, tasks, quiet=as_json)
    list_evaluation(Ledger(store), listed, subject, record, selection)
    if as_json:
        print(json.dumps(record, indent=1))
    else:
        _tell(console(), record, subject, f"g3dr report {listed} --root {store.uri}", time.monotonic() - start)


def _extractor(name: str) -> Extractor:
    if name not in get_args(Extractor):
        raise ConfigError("--extractor", name, " or ".join(get_args(Extractor)))
    return name  # type: ignore[return-value]  # one of its words, as was just checked


def _split(name: str) -> str:
    if name not in ("test", "train"):
        raise ConfigError("--split", name, "test or train")
    return name


def _measured(job: "Job", subject: Subject, tasks: int, *, quiet: bool) -> dict[str, Any]:
    from orchestrator.cluster import connected  # noqa: PLC0415
    from orchestrator.evaluating.measuring import measure, measure_here  # noqa: PLC0415

    share: Share = measure_here
    if tasks:
        from orchestrator.evaluating.tasks import among_tasks  # noqa: PLC0415

        share = among_tasks(tasks)
    with connected() if tasks else nullcontext(), progress("measuring", "objects", Console(stderr=True) if quiet else None) as advance:
        return measure(job, subject, advance, share)


def _tell(out: Console, record: dict[str, Any], subject: Subject, then: str, seconds: float) -> None:
    from orchestrator.cli.evaluation_table import evaluation_table, notes  # noqa: PLC0415

    out.print(f"{subject.name}: step {subject.step:,}, {subject.uri}", markup=False, soft_wrap=True)
    out.print(evaluation_table(record))
    for line in notes(record):
        out.print(line, markup=False, style="dim", soft_wrap=True)
    out.print(f"record: runs/{record['run']}/evaluations/{record['id']}.json, {seconds:.1f} s", markup=False, soft_wrap=True)
    out.print(f"next: {then}", markup=False, soft_wrap=True)
