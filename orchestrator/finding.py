"""What people name on the command line: experiments, and runs by the beginning of their id or as EXPERIMENT/STAGE/LABEL."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from g3dr.errors import G3drError, did_you_mean
from orchestrator.ledger import Ledger
from orchestrator.running.live import read_live
from orchestrator.store import Store

_SHOWN = 5


class UnknownNameError(G3drError):
    """There is no experiment or run of this name."""


@dataclass(frozen=True)
class NamedRun:
    """A run as a stage knows it.

    Attributes:
        run: Its id.
        stage: Name of the stage; empty where a run was named by its id.
        label: Its name within the stage; empty likewise.
    """

    run: str
    stage: str = ""
    label: str = ""


def experiments(store: Store) -> list[str]:
    """Returns the names of all experiments of a root, sorted; one listing."""
    return sorted({path.split("/")[1] for path in store.list("experiments") if path.count("/") >= 2})


def check_experiment(store: Store, name: str) -> None:
    """Makes sure that there is an experiment of this name.

    Raises:
        UnknownNameError: There is none; says which there are.
    """
    known = experiments(store)
    if name not in known:
        raise UnknownNameError(f"{name}: no experiment of this name in {store.uri}; {_allowed(name, known)}")


def stage_names(store: Store, experiment: str) -> list[str]:
    """Returns the stages of which there is a record, in the order of the names."""
    paths = store.list(f"experiments/{experiment}/stages")
    return [path.rpartition("/")[2].removesuffix(".json") for path in paths]


def runs_of(store: Store, experiment: str) -> list[NamedRun]:
    """Returns the runs of an experiment that are known: those of recorded stages, and those that are computed now."""
    ledger, found = Ledger(store), dict[tuple[str, str, str], NamedRun]()
    for stage in stage_names(store, experiment):
        for entry in (ledger.stage(experiment, stage) or {}).get("runs", []):
            named = NamedRun(str(entry["run"]), stage, str(entry["label"]))
            found[named.run, named.stage, named.label] = named
    for live in read_live(store, experiment):
        for now in live.snapshot.running:
            if now.run:
                found.setdefault((now.run, live.snapshot.stage, now.label), NamedRun(now.run, live.snapshot.stage, now.label))
    return list(found.values())


def find_run(store: Store, name: str) -> NamedRun:
    """Returns the run that a person means.

    Args:
        store: The root.
        name: The beginning of a run's id, or `EXPERIMENT/STAGE/LABEL`, or `EXPERIMENT/STAGE` of a stage with one run.

    Raises:
        UnknownNameError: No run or several fit; says which do.
    """
    if re.fullmatch(r"[0-9a-f]{4,16}", name):
        return NamedRun(_by_id(store, name))
    experiment, _, rest = name.partition("/")
    if not rest:
        raise UnknownNameError(
            f"{name}: no run; allowed: at least four digits of a run's id, or EXPERIMENT/STAGE/LABEL as g3dr status shows"
        )
    check_experiment(store, experiment)
    stage, _, label = rest.partition("/")
    return _by_label(runs_of(store, experiment), experiment, stage, label)


def find_runs(store: Store, experiment: str, name: str) -> list[NamedRun]:
    """Returns the runs of an experiment that a person means by the beginning of an id, `STAGE`, `STAGE/LABEL` or `LABEL`.

    Raises:
        UnknownNameError: None fits.
    """
    known = runs_of(store, experiment)
    found = [named for named in known if name in (named.stage, named.label, f"{named.stage}/{named.label}")]
    if not found and re.fullmatch(r"[0-9a-f]{4,16}", name):
        found = [named for named in known if named.run.startswith(name)] or [NamedRun(_by_id(store, name))]
    if not found:
        names = [word for named in known for word in (named.stage, named.label, named.run)]
        raise UnknownNameError(f"{name}: no run of {experiment}; {_allowed(name, names)}")
    return found


def _by_id(store: Store, start: str) -> str:
    if len(start) == 16 and store.exists(f"runs/{start}/status.json"):
        return start
    known = sorted({path.split("/")[1] for path in store.list("runs") if path.count("/") >= 2})
    found = [run for run in known if run.startswith(start)]
    if len(found) == 1:
        return found[0]
    problem = f"fits {len(found)} runs; allowed: one of {_few(found)}" if found else f"no run of this id; {_allowed(start, known)}"
    raise UnknownNameError(f"{start}: {problem} (in {store.uri})")


def _by_label(known: Iterable[NamedRun], experiment: str, stage: str, label: str) -> NamedRun:
    of_stage = [named for named in known if named.stage == stage]
    if not of_stage:
        raise UnknownNameError(f"{experiment}/{stage}: no stage that has begun; {_allowed(stage, {named.stage for named in known})}")
    found = [named for named in of_stage if named.label == label] if label else of_stage
    if len({named.run for named in found}) != 1:
        problem = f"{len(found)} runs" if found else "no run of this label"
        name = "/".join(filter(None, (experiment, stage, label)))
        raise UnknownNameError(f"{name}: {problem}; {_allowed(label, [named.label for named in of_stage])}")
    return found[0]


def _allowed(got: str, known: Iterable[str]) -> str:
    words = sorted({word for word in known if word})
    return did_you_mean(got, words) or (f"allowed: {_few(words)}" if words else "there is none yet")


def _few(words: list[str]) -> str:
    more = f" and {len(words) - _SHOWN:,} more" if len(words) > _SHOWN else ""
    return f"{', '.join(words[:_SHOWN])}{more}"
