"""One shard: built, written and receipted; runs in any process."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from g3dr.errors import DataError, G3drError
from orchestrator.shards.checksums import group_checksums
from orchestrator.shards.manifest import Quarantined, Shard
from orchestrator.shards.planning import ShardPlan
from orchestrator.shards.receipts import Receipt
from orchestrator.shards.rows import ShardWriter
from orchestrator.shards.sources import Source
from orchestrator.store import Store

Tick = Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """A receipt, or the sentence that says why source or store refused; `path` names the plan."""

    path: str
    receipt: Receipt
    error: str = ""


def _no_tick() -> None:
    """Counts nothing."""


def run_plan(source: Source, store: Store, plan: ShardPlan, tick: Tick = _no_tick) -> Outcome:
    """Builds and writes one shard, then its receipt; what source or store refuse comes back as a sentence.

    Args:
        source: Where its examples come from.
        store: Where it goes.
        plan: Which examples.
        tick: Called after each example; may raise to end the work.
    """
    try:
        receipt, data = build(source, plan, tick)
        if receipt.shard is not None:
            store.write_bytes(plan.path, data)
        if not (plan.strict and receipt.quarantine):
            store.write_bytes(plan.receipt, receipt.to_json())
    except G3drError as error:
        return Outcome(plan.path, Receipt(None, ()), str(error))
    return Outcome(plan.path, receipt)


def build(source: Source, plan: ShardPlan, tick: Tick = _no_tick) -> tuple[Receipt, bytes]:
    """Loads the items of a plan and returns the receipt and the bytes of the shard, empty if there is none."""
    writer, quarantine = ShardWriter(plan.row_group_rows), []
    for item, row in zip(plan.items, source.rows(plan.items), strict=True):
        tick()
        if isinstance(row, DataError):
            quarantine.append(Quarantined(item.key, str(row)))
            if plan.strict:
                return Receipt(None, tuple(quarantine)), b""
        else:
            writer.add(row)
    if not writer.rows:
        return Receipt(None, tuple(quarantine)), b""
    data = writer.finish()
    return Receipt(_entry(plan, writer, data), tuple(quarantine)), data


def _entry(plan: ShardPlan, writer: ShardWriter, data: bytes) -> Shard:
    return Shard(
        path=plan.path,
        split=plan.split,
        species=plan.species,
        part=plan.part,
        row_groups=writer.row_groups,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=writer.content,
        rows_without_depth=writer.rows_without_depth,
        checksums=group_checksums(data),
    )
