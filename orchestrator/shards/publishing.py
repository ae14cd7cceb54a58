"""Makes a packed dataset the current one, with two packers at once in mind, and remembers every version that was."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from g3dr.errors import DataError
from orchestrator.shards.manifest import HISTORY, MANIFEST, Manifest, parse_manifest, read_manifest
from orchestrator.store import Store

_DATE = "packed"


@dataclass(frozen=True)
class PackedVersion:
    """A version that was complete once; its shards are still there.

    Attributes:
        manifest: What it consists of.
        packed: When it was first complete, ISO 8601 in UTC; empty where nobody wrote it down.
        current: It is what readers get that ask for no version.
    """

    manifest: Manifest
    packed: str
    current: bool


def publish(manifest: Manifest, before: Manifest | None, store: Store) -> None:
    """Makes `manifest` the current one, if `before` still is.

    Raises:
        DataError: Another packer came first.
    """
    if before is not None:
        _remember(before, store, date="")
    _remember(manifest, store, date=datetime.now(UTC).isoformat(timespec="seconds"))
    if before is not None:
        _replace(manifest, before, store)
    elif not store.write_if_absent(MANIFEST, manifest.to_json()):
        other = read_manifest(store)
        if other is None or other.version != manifest.version:
            raise _lost(store)


def packed_versions(store: Store) -> list[PackedVersion]:
    """Lists all versions, the newest first; what is older than this list has no date.

    Raises:
        DataError: A manifest is damaged.
    """
    current = read_manifest(store)
    found = [_recorded(store, name, current) for name in store.list(HISTORY)]
    if current is not None and not any(version.current for version in found):
        found.append(PackedVersion(current, "", current=True))
    return sorted(found, key=lambda version: (version.packed, version.current), reverse=True)


def _recorded(store: Store, name: str, current: Manifest | None) -> PackedVersion:
    try:
        record = json.loads(store.read_bytes(name))
        manifest, _ = parse_manifest(record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{store.uri}/{name}: not a dataset manifest of this version of g3dr; delete it") from error
    return PackedVersion(manifest, str(record.get(_DATE, "")), current=current is not None and current.version == manifest.version)


def _remember(manifest: Manifest, store: Store, date: str) -> None:
    """Keeps a manifest under its version; the date is that of the first time, the shards are those of the last."""
    name = f"{HISTORY}/{manifest.version}.json"
    record = {**json.loads(manifest.to_json()), _DATE: date}
    if store.write_if_absent(name, json.dumps(record).encode()):
        return
    before = json.loads(store.read_bytes(name))
    if before.get("fingerprint") != manifest.fingerprint:
        store.write_bytes(name, json.dumps({**record, _DATE: before.get(_DATE, date)}).encode())


def _replace(manifest: Manifest, before: Manifest, store: Store) -> None:
    """Replaces the manifest under a claim that only one packer can have at a time."""
    claim = f"packing/replacing-{before.version}-{before.fingerprint}"
    if not store.write_if_absent(claim, manifest.fingerprint.encode()) and not _is_own(store, claim, manifest):
        raise _lost(store, f"; if no other pack is running, delete {store.child(claim).uri}")
    try:
        if read_manifest(store) not in (before, manifest):
            raise _lost(store)
        store.write_bytes(MANIFEST, manifest.to_json())
    finally:
        store.delete(claim)


def _is_own(store: Store, claim: str, manifest: Manifest) -> bool:
    """Tells whether the claim is that of the same pack, killed between claiming and writing."""
    try:
        return store.read_bytes(claim) == manifest.fingerprint.encode()
    except FileNotFoundError:
        return False


def _lost(store: Store, more: str = "") -> DataError:
    return DataError(f"{store.uri}: another dataset was packed here at the same time and came first; run this again to replace it{more}")
