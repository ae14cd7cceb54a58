"""Depth maps that lie in a tree of files, in a folder or in object storage."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from g3dr.depth import DepthEstimator, FileEstimator
from g3dr.errors import ConfigError, DataError
from orchestrator.depth.recipes.protocol import Wishes, refuse_others
from orchestrator.shards.manifest import Manifest
from orchestrator.store import open_store


@dataclass(frozen=True)
class FileRecipe:
    """Depth maps in a tree of files, named by the pictures' keys.

    Attributes:
        root: Folder or URI.
        suffix: What follows the key.
        fingerprint: Of names, sizes and times of change of the depth maps.
        top: See `FileEstimator`.
    """

    uses_gpu: ClassVar[bool] = False
    needs_dataset: ClassVar[bool] = True

    root: str
    suffix: str
    fingerprint: str
    top: str

    @classmethod
    def prepare(cls, wishes: Wishes, dataset: Manifest | None) -> Self:
        """See `Recipe`."""
        refuse_others(wishes, {"depth_root", "depth_suffix"}, "files")
        if not wishes.depth_root:
            raise ConfigError("--depth-root", None, "the folder or s3:// URI of the depth maps, which the estimator files needs")
        root = wishes.depth_root if "://" in wishes.depth_root else str(Path(wishes.depth_root).expanduser().absolute())
        files = [entry for entry in open_store(root).entries() if entry.path.endswith(wishes.depth_suffix)]
        if not files:
            raise DataError(f"{wishes.depth_root}: no file here ends with {wishes.depth_suffix}; expected KEY{wishes.depth_suffix}")
        lines = sorted(f"{entry.path}\0{entry.size}\0{entry.changed}\n" for entry in files)
        top = _top({entry.path.partition("/")[0] for entry in files}, dataset)
        return cls(root, wishes.depth_suffix, hashlib.sha256("".join(lines).encode()).hexdigest()[:16], top)

    def identity(self) -> Mapping[str, Any]:
        """See `Recipe`."""
        return self.build(None).identity()

    def build(self, gpus: float | None) -> DepthEstimator:  # noqa: ARG002 (files need none)
        """See `Recipe`."""
        return FileEstimator(open_store(self.root).read_bytes, self.fingerprint, self.suffix, self.top)


def _top(folders: set[str], dataset: Manifest | None) -> str:
    """Returns the folder that is missing where the maps of the only species lie by themselves, as those of a flat folder do."""
    species = [] if dataset is None else dataset.species()
    return f"{species[0]}/" if len(species) == 1 and species[0] not in folders else ""
