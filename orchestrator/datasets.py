"""The data sets of an experiment: where each lies below the root, whether it is packed, and packing what is missing."""

from dataclasses import asdict

from orchestrator.experiment.data_spec import DataSpec
from orchestrator.experiment.spec import Experiment
from orchestrator.planning.knowledge import DatasetInfo
from orchestrator.running.watching import Watch
from orchestrator.shards import FolderSource, Manifest, ProceduralSource, Source, pack, read_manifest
from orchestrator.shards.packing import source_fingerprint
from orchestrator.shards.selection import Selection
from orchestrator.store import Store, open_store


def source_of(spec: DataSpec) -> Source | None:
    """Returns what a data set is packed from; None for one that is packed already."""
    if spec.procedural is not None:
        return ProceduralSource(spec.procedural)
    if spec.folder is not None:
        return FolderSource(**asdict(spec.folder))
    return None


def location(root: Store, name: str, spec: DataSpec) -> Store:
    """Returns where a data set lies: two experiments share it if both name and source are equal, and never overwrite each other's.

    Raises:
        DataError: Its folder cannot be read.
    """
    source = source_of(spec)
    if source is None:
        return open_store(str(spec.dataset))
    return root.child(f"datasets/{name}-{source_fingerprint(source)[:8]}")


def find_dataset(root: Store, name: str, spec: DataSpec) -> DatasetInfo | None:
    """Returns a data set if it is packed.

    Raises:
        DataError: Its folder, or the data set that the file names, is not there.
    """
    store = location(root, name, spec)
    manifest = read_manifest(store)
    return None if manifest is None else _info(store, manifest)


def find_datasets(root: Store, experiment: Experiment) -> dict[str, DatasetInfo | None]:
    """Returns the data sets that stages use by name, None for those that are not packed yet."""
    return {name: find_dataset(root, name, spec) for name, spec in used(experiment).items()}


def used(experiment: Experiment) -> dict[str, DataSpec]:
    """Returns the data sets that some stage names; a file that extends another may leave some of its parent's unused."""
    names = {stage.data for stage in experiment.stages}
    return {name: spec for name, spec in experiment.data.items() if name in names}


def prepare_datasets(root: Store, experiment: Experiment, watch: Watch) -> dict[str, DatasetInfo]:
    """Packs what is missing; a folder with a file that cannot be used is refused, not packed without it.

    Args:
        root: The root of the ledger.
        experiment: Names the data sets.
        watch: Gets the progress.

    Raises:
        DataError: A data set has nothing usable, or something unusable.
        StoreError: The root cannot be written.
    """
    found = {}
    for name, spec in used(experiment).items():
        info = find_dataset(root, name, spec)
        found[name] = _pack(root, name, spec, watch) if info is None else info
    return found


def _pack(root: Store, name: str, spec: DataSpec, watch: Watch) -> DatasetInfo:
    store, source = location(root, name, spec), source_of(spec)
    if source is None:
        return _info(store, Selection(store.uri, "", "train").manifest())  # which raises: there is none
    manifest = pack(source, store, strict=True, progress=lambda done, total: watch.task(f"packing {name}", done, total))
    return _info(store, manifest)


def _info(store: Store, manifest: Manifest) -> DatasetInfo:
    rows = {split: manifest.rows(split) for split in sorted({shard.split for shard in manifest.shards})}
    return DatasetInfo(store.uri, manifest.version, manifest.species(), rows)
