"""Who says how far away things are in a data set's pictures: the generator that drew them, an estimator, or whoever gave the depth maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from g3dr.errors import G3drError
from orchestrator.depth.naming import full_name
from orchestrator.store import open_store

Kind = Literal["exact", "estimated", "given"]


@dataclass(frozen=True)
class DepthOrigin:
    """Where a data set's depth maps are from.

    Attributes:
        kind: `exact` of procedural pictures, `estimated` from the pictures themselves, `given` where maps came with them from elsewhere.
        estimator: Who estimated, with the first digits of the weights' fingerprint; empty for the other kinds.
        partly: Whether only those that lacked a map were estimated.
    """

    kind: Kind = "given"
    estimator: str = ""
    partly: bool = False

    @property
    def label(self) -> str:
        """A heading for a column of depth maps."""
        return f"{self.kind.capitalize()} depth"

    @property
    def told(self) -> str:
        """The same in words."""
        if self.kind != "estimated":
            return f"{self.kind} depth"
        return f"depth estimated by {self.estimator}{' where none was given' if self.partly else ''}"


def depth_origin(uri: str, version: str) -> DepthOrigin:
    """Returns what a data set's manifest tells; `given` where there is none, or it cannot be read now.

    Args:
        uri: Where it lies.
        version: Which one.
    """
    from orchestrator.shards.manifest import read_manifest  # noqa: PLC0415  (brings pyarrow, which pages without data do not need)

    try:
        manifest = read_manifest(open_store(uri), version) if uri else None
    except G3drError:  # a page about results does not fail because their data have been put away
        manifest = None
    return origin_of(manifest.source) if manifest else DepthOrigin()


def origin_of(source: Mapping[str, Any]) -> DepthOrigin:
    """Returns what the record of a data set's source tells."""
    if source.get("kind") == "procedural":
        return DepthOrigin("exact")
    if source.get("kind") != "depth":
        return DepthOrigin()
    estimator, before = source.get("estimator") or {}, source.get("of") or {}
    if estimator.get("name") in _NOT_ESTIMATED:
        return DepthOrigin(_NOT_ESTIMATED[estimator["name"]])
    return DepthOrigin("estimated", full_name(estimator), partly=not source.get("overwrite") and not _lacked_all(before))


_NOT_ESTIMATED: Mapping[str, Kind] = {"procedural": "exact", "files": "given"}


def _lacked_all(source: Mapping[str, Any]) -> bool:
    prepared = source.get("preparation") or {}
    return "none" in (source.get("depth"), prepared.get("depth"))
