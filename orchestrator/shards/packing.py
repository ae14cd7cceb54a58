"""Packs a source into shards; an interrupted pack continues when it is run again.

Every shard is one task with its own receipt below `packing/`. The manifest comes last and the receipts go, so a reader sees
either the old dataset or the new one.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from g3dr.errors import DataError
from orchestrator.shards import tasks
from orchestrator.shards.manifest import Manifest, Quarantined, Shard, fingerprint_of, read_manifest
from orchestrator.shards.planning import ShardPlan, plan_shards
from orchestrator.shards.publishing import packed_versions, publish
from orchestrator.shards.receipts import Receipt, read_receipts, receipts_folder
from orchestrator.shards.sources import Source
from orchestrator.shards.tasks import Runner
from orchestrator.store import Store, StoreError

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
_LARGEST_SHARD = 256 * 2**20


@dataclass(frozen=True)
class PackOptions:
    """How rows are arranged in files.

    Attributes:
        rows_per_shard: Most rows of one file; a thousand photographs make about 128 MB.
        row_group_rows: Rows that are read together; small groups shuffle better, large ones read faster.
        shard_bytes: About the most bytes of one file, where the size of its pictures is known before they are read; large photographs
            make shards of fewer rows.
    """

    rows_per_shard: int = 1024
    row_group_rows: int = 16
    shard_bytes: int = _LARGEST_SHARD

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise DataError(f"{field.name}: got {getattr(self, field.name)}, allowed: 1 or more")

    def description(self) -> dict[str, int]:
        """Returns what determines the arrangement; `shard_bytes` only where it was set, for the sake of datasets older than it."""
        described = {"rows_per_shard": self.rows_per_shard, "row_group_rows": self.row_group_rows}
        return described if self.shard_bytes == _LARGEST_SHARD else {**described, "shard_bytes": self.shard_bytes}


def source_fingerprint(source: Source, options: PackOptions | None = None) -> str:
    """Returns the fingerprint that the manifest of a packed source bears: equal where nothing has changed.

    Raises:
        DataError: The source cannot be read.
    """
    return fingerprint_of(_description(source, options or PackOptions()))


def _description(source: Source, options: PackOptions) -> dict[str, object]:
    """Through JSON and back, so that a manifest just made equals the one that is read later."""
    described: dict[str, object] = json.loads(json.dumps({**source.description(), "options": options.description()}))
    return described


def pack(
    source: Source,
    destination: Store,
    *,
    options: PackOptions | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    runner: Runner = tasks.run,
) -> Manifest:
    """Packs all examples of `source` into `destination`; does nothing if that was done before.

    Args:
        source: Where the examples come from.
        destination: Where the dataset lives; another dataset there stays readable until this one is complete.
        options: Sizes of shards and row groups.
        strict: Refuse the first example that cannot be used, instead of leaving it out.
        progress: Called with the examples that are done and their total.
        runner: Who builds the shards: as Ray Data tasks where Ray is up, in threads otherwise; the bytes are the same.

    Raises:
        DataError: Nothing usable in the source, or (strict) something unusable; nothing new is left in `destination`.
        StoreError: `destination` cannot be used.
    """
    destination.check()
    options = options or PackOptions()
    description = _description(source, options)
    fingerprint = fingerprint_of(description)
    before = read_manifest(destination)
    if before is not None and before.fingerprint == fingerprint and _is_complete(before, destination):
        return _accepted(before, strict=strict)
    try:
        receipts = _pack_shards(source, destination, _plans(source, fingerprint, options, strict=strict), progress, runner)
        manifest = _accepted(_manifest(description, fingerprint, receipts), strict=strict)
    except DataError:
        _forget(destination, fingerprint)
        raise
    publish(manifest, before, destination)
    destination.delete(receipts_folder(fingerprint))
    return manifest


def _plans(source: Source, fingerprint: str, options: PackOptions, *, strict: bool) -> list[ShardPlan]:
    return plan_shards(
        source.items(),
        fingerprint,
        rows_per_shard=options.rows_per_shard,
        shard_bytes=options.shard_bytes,
        row_group_rows=options.row_group_rows,
        strict=strict,
    )


def _pack_shards(
    source: Source, destination: Store, plans: Sequence[ShardPlan], progress: Progress | None, runner: Runner
) -> list[Receipt]:
    receipts = read_receipts(destination, _fingerprint(plans)) if plans else {}
    todo = [plan for plan in plans if plan.path not in receipts]
    total = sum(len(plan.items) for plan in plans)
    before = total - sum(len(plan.items) for plan in todo)
    if receipts:
        logger.info("%s: %d of %d examples are there already", destination.uri, before, total)
    say = progress or (lambda _done, _total: None)
    say(before, total)
    for outcome in runner(source, destination, todo, lambda done: say(before + done, total)):
        if outcome.error:
            raise StoreError(outcome.error)
        receipts[outcome.path] = outcome.receipt
    return [receipts[plan.path] for plan in plans]


def _fingerprint(plans: Sequence[ShardPlan]) -> str:
    return plans[0].path.split("/")[1]


def _manifest(description: dict[str, object], fingerprint: str, receipts: Sequence[Receipt]) -> Manifest:
    shards: list[Shard] = [receipt.shard for receipt in receipts if receipt.shard is not None]
    quarantine: list[Quarantined] = [entry for receipt in receipts for entry in receipt.quarantine]
    return Manifest(description, fingerprint, tuple(shards), tuple(quarantine))


def _accepted(manifest: Manifest, *, strict: bool) -> Manifest:
    if manifest.quarantine and (strict or not manifest.shards):
        first, others = manifest.quarantine[0], len(manifest.quarantine) - 1
        more = f" (and {others} more with problems)" if others else ""
        raise DataError(f"{first.reason}{more}")
    return manifest


def _is_complete(manifest: Manifest, store: Store) -> bool:
    return {shard.path for shard in manifest.shards} <= set(store.list(f"shards/{manifest.fingerprint}"))


def _forget(store: Store, fingerprint: str) -> None:
    """Deletes what a refused pack has left, unless it belongs to a version that is complete."""
    if all(version.manifest.fingerprint != fingerprint for version in packed_versions(store)):
        store.delete(f"shards/{fingerprint}")
    store.delete(receipts_folder(fingerprint))
