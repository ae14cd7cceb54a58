"""Packs a source into shards; an interrupted pack continues when it is run again.

Every shard is one task with its own receipt below `packing/`. The manifest comes last and the receipts go, so a reader sees
either the old dataset or the new one.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from g3dr.errors import DataError
from orchestrator.shards import execution
from orchestrator.shards.manifest import MANIFEST, Manifest, Quarantined, Shard, fingerprint_of, read_manifest
from orchestrator.shards.shard_task import Receipt, ShardPlan, plan_shards, read_receipts, receipts_folder
from orchestrator.shards.sources import Source
from orchestrator.store import Store, StoreError

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PackOptions:
    """How rows are arranged in files.

    Attributes:
        rows_per_shard: Most rows of one file; a thousand photographs make about 128 MB.
        row_group_rows: Rows that are read together; small groups shuffle better, large ones read faster.
    """

    rows_per_shard: int = 1024
    row_group_rows: int = 16

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise DataError(f"{name}: got {value}, allowed: 1 or more")


def source_fingerprint(source: Source, options: PackOptions | None = None) -> str:
    """Returns the fingerprint that the manifest of a packed source bears: equal where nothing has changed.

    Raises:
        DataError: The source cannot be read.
    """
    return fingerprint_of(_description(source, options or PackOptions()))


def _description(source: Source, options: PackOptions) -> dict[str, object]:
    """Through JSON and back, so that a manifest just made equals the one that is read later."""
    described: dict[str, object] = json.loads(json.dumps({**source.description(), "options": asdict(options)}))
    return described


def pack(
    source: Source,
    destination: Store,
    *,
    options: PackOptions | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Packs all examples of `source` into `destination`; does nothing if that was done before.

    Runs as Ray Data tasks where Ray is up, in threads otherwise; the bytes are the same.

    Args:
        source: Folder or generator of examples.
        destination: Where the dataset lives; another dataset there stays readable until this one is complete.
        options: Sizes of shards and row groups.
        strict: Refuse the first example that cannot be used, instead of leaving it out.
        progress: Called with the shards that are done and their total.

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
        receipts = _pack_shards(source, destination, fingerprint, options, strict=strict, progress=progress)
        manifest = _accepted(_manifest(description, fingerprint, receipts), strict=strict)
    except DataError:
        if before is None or before.fingerprint != fingerprint:
            _forget(destination, fingerprint)
        raise
    _publish(manifest, before, destination)
    destination.delete(receipts_folder(fingerprint))
    return manifest


def _pack_shards(
    source: Source, destination: Store, fingerprint: str, options: PackOptions, *, strict: bool, progress: Progress | None
) -> list[Receipt]:
    plans = plan_shards(source.items(), fingerprint, options.rows_per_shard, options.row_group_rows, strict=strict)
    receipts = read_receipts(destination, fingerprint)
    todo = [plan for plan in plans if plan.path not in receipts]
    if receipts:
        logger.info("%s: %d of %d shards are there already", destination.uri, len(plans) - len(todo), len(plans))
    done = len(plans) - len(todo)
    for plan, receipt in _run(source, destination, todo):
        receipts[plan.path] = receipt
        done += 1
        if progress is not None:
            progress(done, len(plans))
    return [receipts[plan.path] for plan in plans]


def _run(source: Source, destination: Store, plans: list[ShardPlan]) -> Iterable[tuple[ShardPlan, Receipt]]:
    by_path = {plan.path: plan for plan in plans}
    for outcome in execution.run(source, destination, plans):
        if outcome.error:
            raise StoreError(outcome.error)
        yield by_path[outcome.path], outcome.receipt


def _manifest(description: dict[str, object], fingerprint: str, receipts: list[Receipt]) -> Manifest:
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


def _publish(manifest: Manifest, before: Manifest | None, store: Store) -> None:
    if before is not None:
        store.write_bytes(MANIFEST, manifest.to_json())
    elif not store.write_if_absent(MANIFEST, manifest.to_json()):
        other = read_manifest(store)
        if other is None or other.version != manifest.version:
            raise DataError(f"{store.uri}: another dataset was packed here at the same time; run this again to replace it")


def _forget(store: Store, fingerprint: str) -> None:
    store.delete(f"shards/{fingerprint}")
    store.delete(receipts_folder(fingerprint))
