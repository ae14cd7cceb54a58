"""The experiments of a comparison, as they were asked for: NAME, or NAME@ROOT for one that lies elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from g3dr.errors import ConfigError, DataError, did_you_mean
from orchestrator.report.collect import experiment_names, read_study
from orchestrator.report.records import StageRun, Study
from orchestrator.report.results import Headline, SpeciesRow, headline, species_rows
from orchestrator.store import Store

LEAST, MOST = 2, 8


@dataclass(frozen=True)
class Side:
    """One experiment of a comparison.

    Attributes:
        name: What the page calls it: the experiment's name, with its root where two have the same.
        store: Where it lies.
        study: All that it left.
        head: Its model on images that it was not trained on.
        rows: Its species.
    """

    name: str
    store: Store = field(repr=False)
    study: Study
    head: Headline | None
    rows: Sequence[SpeciesRow]

    def runs(self) -> Iterator[tuple[str, StageRun]]:
        """Yields every run with its place, `stage: label`."""
        return ((f"{stage.name}: {run.name}", run) for stage in self.study.stages for run in stage.runs)


def read_sides(store: Store, asked: Sequence[str], open_root: Callable[[str], Store]) -> list[Side]:
    """Reads the experiments, in the order in which they were asked for.

    Args:
        store: Where names without a root are looked for.
        asked: `NAME` or `NAME@ROOT`.
        open_root: Opens a root.

    Raises:
        ConfigError: Too few, too many, or one twice.
        DataError: Some are not there; the sentence names all of them.
    """
    places = [_place(store, text, open_root) for text in asked]
    _check_number(asked, places)
    unknown = [sentence for name, where in places for sentence in _unknown(name, where)]
    if unknown:
        raise DataError("; ".join(unknown))
    names = [name for name, _ in places]
    return [_side(f"{name}@{where.uri}" if names.count(name) > 1 else name, where, name) for name, where in places]


def _place(store: Store, text: str, open_root: Callable[[str], Store]) -> tuple[str, Store]:
    name, _, root = text.partition("@")
    return name, open_root(root) if root else store


def _check_number(asked: Sequence[str], places: Iterable[tuple[str, Store]]) -> None:
    if not LEAST <= len(asked) <= MOST:
        raise ConfigError("experiments", f"{len(asked)} of them", f"{LEAST} to {MOST} to be compared")
    seen: set[tuple[str, str]] = set()
    for text, (name, where) in zip(asked, places, strict=True):
        if (name, where.uri) in seen:
            raise ConfigError("experiments", f"{text!r} twice", "each experiment once")
        seen.add((name, where.uri))


def _unknown(name: str, store: Store) -> Iterator[str]:
    known = experiment_names(store)
    if name not in known:
        hint = did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else "nothing was run there yet")
        yield f"there is no experiment {name!r} in {store.uri}; {hint}"


def _side(name: str, store: Store, experiment: str) -> Side:
    study = read_study(store, experiment)
    return Side(name, store, study, headline(study), species_rows(study))
