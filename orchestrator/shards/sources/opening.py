"""Chooses the kind of source that a name means."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from g3dr.errors import ConfigError, DataError, did_you_mean
from g3dr.procedural import ProceduralConfig
from orchestrator.experiment.folder_config import FolderConfig
from orchestrator.shards.manifest import read_manifest
from orchestrator.shards.preparing import Preparation
from orchestrator.shards.sources.dataset import DatasetSource
from orchestrator.shards.sources.folder import FolderSource
from orchestrator.shards.sources.procedural import ProceduralSource
from orchestrator.shards.sources.protocol import Source
from orchestrator.shards.trees.tar import is_tar
from orchestrator.store import open_store

PROCEDURAL = "procedural:"
_ALLOWED = ("a folder of pictures", "a tar file", "s3://bucket/prefix", "another dataset", f"{PROCEDURAL}individuals=20:resolution=64")
_PICKING = {"species", "subset", "held_out", "seed"}
_PREPARATION = {"resolution", "crop", "depth"}
_READERS: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    tuple: lambda text: tuple(int(word) for word in text.split(",")),
}


@dataclass(frozen=True)
class Wishes:
    """What somebody asked for, as far as they did; see `FolderConfig`, whose defaults hold for the rest.

    Attributes:
        given: Values by name of the field.
        version: Of the dataset that is packed again; empty for the newest.
    """

    given: dict[str, Any]
    version: str = ""

    def only(self, allowed: set[str], what: str) -> dict[str, Any]:
        """Returns the values, if none of them makes no sense for this kind of source.

        Raises:
            ConfigError: One does.
        """
        for name, value in self.given.items():
            if name not in allowed:
                raise ConfigError(f"--{name.replace('_', '-')}", value, f"nothing: it has no meaning for {what}")
        return self.given


def open_source(name: str, wishes: Wishes) -> Source:
    """Opens a source by what is there: `procedural:`, a dataset with a manifest, tar files, or pictures in folders.

    Args:
        name: A path, a pattern of tar files, a URI, or `procedural:individuals=20:resolution=64`.
        wishes: Options.

    Raises:
        DataError: There is nothing of this name.
        ConfigError: An option that makes no sense for this kind of source, or a value that is not allowed.
    """
    if name.startswith(PROCEDURAL):
        return _procedural(name, wishes)
    if not is_tar(name) and Path(name).is_file():
        raise DataError(f"{name}: a file, but not a tar file; allowed: {', '.join(_ALLOWED)}")
    if not is_tar(name) and read_manifest(open_store(name)) is not None:
        return _dataset(name, wishes)
    if wishes.version:
        raise DataError(f"{name}: no dataset here, so it has no version {wishes.version}")
    return FolderSource(name, **wishes.only({field.name for field in fields(FolderConfig)}, "pictures in folders"))


def _dataset(name: str, wishes: Wishes) -> DatasetSource:
    given = wishes.only(_PICKING | _PREPARATION, "a dataset, which is packed already")
    picking = {key: value for key, value in given.items() if key in _PICKING}
    # What has no depth yet may stay so: it was packed like that on purpose.
    preparation = {"depth": "optional", **{key: value for key, value in given.items() if key in _PREPARATION}}
    return DatasetSource(name, wishes.version, **picking, preparation=Preparation(**preparation))


def _procedural(name: str, wishes: Wishes) -> ProceduralSource:
    given = wishes.only({"depth"}, f"the procedural generator; write it behind the name, such as {PROCEDURAL}individuals=20:seed=1")
    return ProceduralSource(parse_procedural(name), Preparation(**given))


def parse_procedural(name: str) -> ProceduralConfig:
    """Reads `procedural:species=0,1:individuals=20`; what is not said keeps its default.

    Raises:
        ConfigError: An unknown option, or a value that is not allowed.
    """
    values = asdict(ProceduralConfig())
    for word in filter(None, name.removeprefix(PROCEDURAL).split(":")):
        key, _, text = word.partition("=")
        if key not in values:
            raise ConfigError(f"{PROCEDURAL}{key}", text, f"one of {', '.join(values)}", did_you_mean(key, values))
        try:
            values[key] = _READERS[type(values[key])](text)
        except (ValueError, KeyError) as error:
            raise ConfigError(f"{PROCEDURAL}{key}", text, f"a value such as {_shown(values[key])}") from error
    return ProceduralConfig(**values)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
