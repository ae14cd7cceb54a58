"""What came of each shard of a pack that is not over yet: written beside the shards, so that an interrupted pack continues."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.shards.manifest import Quarantined, Shard, shard_from_json
from orchestrator.store import Store


@dataclass(frozen=True)
class Receipt:
    """What came of a plan: a shard, unless nothing in it was usable, and what was left out."""

    shard: Shard | None
    quarantine: tuple[Quarantined, ...]

    def to_json(self) -> bytes:
        """Returns the file's content."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def receipts_folder(fingerprint: str) -> str:
    """Returns where the receipts of an unfinished pack lie."""
    return f"packing/{fingerprint}"


def read_receipts(store: Store, fingerprint: str) -> dict[str, Receipt]:
    """Reads the receipts of an interrupted pack whose shards are there in full; by the path of the shard.

    A shard appears with all its bytes or not at all, so its size tells: to hash a terabyte again would take longer than to go on.
    """
    sizes = {entry.path: entry.size for entry in store.entries(f"shards/{fingerprint}")}
    found = {}
    for name in store.list(receipts_folder(fingerprint)):
        try:
            receipt = _parse(json.loads(store.read_bytes(name)))
        except FileNotFoundError:  # another packer of the same has just ended
            continue
        if receipt.shard is None or sizes.get(receipt.shard.path) == receipt.shard.bytes:
            path = "shards" + name.removeprefix("packing").removesuffix(".json") + ".parquet"
            found[path] = receipt
    return found


def _parse(record: dict[str, Any]) -> Receipt:
    shard = shard_from_json(record["shard"]) if record["shard"] else None
    return Receipt(shard, tuple(Quarantined(**entry) for entry in record["quarantine"]))
