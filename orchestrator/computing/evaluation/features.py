"""Features of pictures; those of real ones are kept in the store, for every evaluation on the same data.

features/<dataset version>/<split>-<selection>-<extractor>-<first digits of its SHA-256>-<resolution>.safetensors
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones import FeatureExtractor
from g3dr.errors import DataError
from g3dr.export.workers import workers
from g3dr.metrics import FeatureStatistics
from orchestrator.computing.evaluation.choosing import Choice
from orchestrator.content_ids import content_id
from orchestrator.store import Store

FOLDER = "features"
_AT_ONCE = 16
_SHA_DIGITS = 8

logger = logging.getLogger(__name__)


def features_of(extractor: FeatureExtractor, pictures: Float[Tensor, "batch 3 height width"], keys: Sequence[str]) -> FeatureStatistics:
    """Looks at pictures that are on the extractor's device; returns what it sees, on the CPU."""
    with torch.inference_mode():
        return FeatureStatistics.of(extractor.extract(pictures), keys)


def real_features(choice: Choice, extractor: FeatureExtractor, resolution: int, device: torch.device, store: Store) -> FeatureStatistics:
    """Returns the features of the input pictures of a choice: from the store, else computed and kept there.

    Two who compute them at a time write the same file; the first one's stays.

    Args:
        choice: Which pictures.
        extractor: Who looks at them.
        resolution: Their side, pixels.
        device: Where the extractor is.
        store: The root of the ledger.

    Raises:
        DataError: The data set is missing, has changed or is damaged.
    """
    return _remembered(choice, _Hashed(extractor), resolution, device, store)


def feature_path(choice: Choice, extractor: FeatureExtractor, resolution: int) -> str:
    """Returns where the features of the real pictures of a choice are kept, relative to the root."""
    selection = choice.selection
    version = selection.version or selection.manifest().version
    rows = content_id([list(selection.species) if selection.species is not None else None, choice.images])
    return f"{FOLDER}/{version}/{selection.split}-{rows}-{extractor.name}-{extractor.sha256[:_SHA_DIGITS]}-{resolution}.safetensors"


class _Hashed:
    """An extractor that is equal to any of the same weights."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.extractor = extractor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.extractor.sha256 == self.extractor.sha256

    def __hash__(self) -> int:
        return hash(self.extractor.sha256)


@lru_cache(maxsize=16)
def _remembered(choice: Choice, hashed: _Hashed, resolution: int, device: torch.device, store: Store) -> FeatureStatistics:
    path = feature_path(choice, hashed.extractor, resolution)
    found = _read(store, path)
    if found is None:
        found = _computed(choice, hashed.extractor, resolution, device)
        store.write_if_absent(path, found.to_bytes())
    return found


def _read(store: Store, path: str) -> FeatureStatistics | None:
    """A file that is damaged is taken away: it is computed again."""
    try:
        return FeatureStatistics.from_bytes(store.read_bytes(path))
    except FileNotFoundError:
        return None
    except DataError as error:
        logger.warning("%s/%s: %s They are computed again.", store.uri, path, error)
        store.delete(path)
        return None


def _computed(choice: Choice, extractor: FeatureExtractor, resolution: int, device: torch.device) -> FeatureStatistics:
    rows = choice.load(resolution, views=False)

    def look(numbers: range) -> FeatureStatistics:
        batch = rows.batch(numbers)
        return features_of(extractor, batch.images.to(device), batch.keys)

    return reduce(FeatureStatistics.merge, _side_by_side(look, chunks(range(len(rows)), _AT_ONCE), device), FeatureStatistics.empty())


def chunks(numbers: range, size: int) -> list[range]:
    """Cuts numbers into runs of `size`; the last one may be shorter."""
    return [range(first, min(first + size, numbers.stop)) for first in range(numbers.start, numbers.stop, size)]


def _side_by_side(work: Callable[[range], Any], parts: Iterable[range], device: torch.device) -> list[Any]:
    with workers(device) as pool:
        return list(pool.map(work, parts))
