"""Rows of a dataset, with the depth maps that they lack: a source, so that packing brings resume, quarantine and the manifest."""

import pickle
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from numpy.typing import NDArray

from g3dr.depth import MAPPING_VERSION, TAIL, DepthEstimator, Picture, to_distance
from g3dr.errors import DataError, G3drError, ShardError
from g3dr.pictures import decode_image, encode_depth
from orchestrator.depth.asking import EstimatorStoppedError, first_line, maps_of
from orchestrator.depth.recipes import Recipe
from orchestrator.grouping import in_groups
from orchestrator.shards.preparing import Preparation
from orchestrator.shards.rows import Row
from orchestrator.shards.sources import DatasetSource
from orchestrator.shards.sources.dataset import DatasetItem

BATCH_SIZE = 8
_THREADS = 4

Whatever = TypeVar("Whatever")
Entry = Row | DataError


@dataclass(frozen=True)
class Opened:
    """A row and its picture, decoded for the estimator."""

    row: Row
    picture: Picture


@dataclass(frozen=True)
class DepthSource:
    """Rows of a dataset that go past a depth estimator; their pictures keep every byte.

    Attributes:
        dataset: Where the rows come from.
        recipe: Makes the estimator.
        overwrite: Estimate anew what has a depth map already.
        batch_size: Pictures that are estimated together.
        gpus: GPUs that one process may use; None for all there are.
    """

    dataset: DatasetSource
    recipe: Recipe
    overwrite: bool = False
    batch_size: int = BATCH_SIZE
    gpus: float | None = None

    @classmethod
    def of(cls, uri: str, version: str, recipe: Recipe, **options: Any) -> "DepthSource":
        """Returns the source for all rows of one version of a dataset."""
        return cls(DatasetSource(uri, version, preparation=Preparation(depth="optional")), recipe, **options)

    def description(self) -> Mapping[str, Any]:
        """See `Source`; batches, devices and places are left out: they change no more than the last bits of a map."""
        manifest = self.dataset.manifest
        return {
            "kind": "depth",
            "version": manifest.version,
            "estimator": self.recipe.identity(),
            "mapping": mapping_identity(),
            "overwrite": self.overwrite,
            "of": manifest.source,
        }

    def items(self) -> Sequence[DatasetItem]:
        """See `Source`."""
        return self.dataset.items()

    def rows(self, items: Sequence[DatasetItem]) -> Iterator[Row | DataError]:
        """See `Source`; pictures are decoded for the next batch, and maps encoded of the last, while the estimator is at work."""
        estimator = _estimator(pickle.dumps(self.recipe), self.gpus)
        with ThreadPoolExecutor(_THREADS) as pool:
            opened = _ahead(
                [pool.submit(self._open, entry) for entry in batch] for batch in in_groups(self.dataset.rows(items), self.batch_size)
            )
            finished = _ahead(self._estimate(estimator, [one.result() for one in batch], pool) for batch in opened)
            for batch in finished:
                yield from (entry.result() if isinstance(entry, Future) else entry for entry in batch)

    def _open(self, entry: Entry) -> Opened | Entry:
        if isinstance(entry, ShardError):
            raise entry  # the dataset is damaged, or away for a moment: its rows are not to be left out for that
        if isinstance(entry, DataError) or (entry.example.depth is not None and not self.overwrite):
            return entry
        try:
            return Opened(entry, Picture(entry.example.key, decode_image(entry.example.image)))
        except DataError as error:
            return self._reason(entry, error)

    def _estimate(self, estimator: DepthEstimator, batch: list[Opened | Entry], pool: ThreadPoolExecutor) -> list[Entry | Future[Entry]]:
        maps = iter(maps_of(estimator, [entry.picture for entry in batch if isinstance(entry, Opened)]))
        return [pool.submit(self._finish, estimator, entry.row, next(maps)) if isinstance(entry, Opened) else entry for entry in batch]

    def _finish(self, estimator: DepthEstimator, row: Row, values: "NDArray[Any] | DataError") -> Entry:
        if isinstance(values, DataError):
            return self._reason(row, values)
        try:
            depth = encode_depth(to_distance(values, estimator.measure))
        except DataError as error:
            return self._reason(row, error)
        return replace(row, example=replace(row.example, depth=depth))

    def _reason(self, row: Row, error: DataError) -> DataError:
        return DataError(f"{self.dataset.uri}, {row.example.key}: {error}")


def mapping_identity() -> Mapping[str, Any]:
    """Returns what determines how an estimator's numbers become distances, as JSON."""
    return {"version": MAPPING_VERSION, "tail": TAIL}


@lru_cache(maxsize=1)
def _estimator(recipe: bytes, gpus: float | None) -> DepthEstimator:
    """Makes the estimator once per process."""
    made: Recipe = pickle.loads(recipe)  # noqa: S301  (made by this process, or by the one that started it)
    try:
        return made.build(gpus)
    except G3drError:
        raise
    except Exception as error:  # a device that cannot be used raises whatever its driver says
        raise EstimatorStoppedError(f"the estimator cannot start ({first_line(error)})") from error


def _ahead(entries: Iterable[Whatever]) -> Iterator[Whatever]:
    """Yields the same, but asks for each before the one before it is used, so that work that was begun goes on beside."""
    waiting: deque[Whatever] = deque()
    for entry in entries:
        waiting.append(entry)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting
