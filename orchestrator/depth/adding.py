"""The depth stage: from a dataset without depth maps to one that training can read."""

from dataclasses import dataclass

from g3dr.errors import ConfigError, DataError
from orchestrator.depth.recipes import Recipe, Wishes, recipe_named
from orchestrator.depth.source import BATCH_SIZE, DepthSource, mapping_identity
from orchestrator.shards.manifest import Manifest, fingerprint_of, read_manifest
from orchestrator.shards.packing import PackOptions, Progress, pack
from orchestrator.shards.tasks import Runner
from orchestrator.store import Store


@dataclass(frozen=True)
class DepthOptions:
    """How depth maps are added.

    Attributes:
        overwrite: Estimate anew what has a depth map already.
        strict: Refuse the first picture that cannot be estimated, instead of leaving it out.
        batch_size: Pictures that are estimated together.
        gpus: GPUs that one process may use; None for all there are.
    """

    overwrite: bool = False
    strict: bool = False
    batch_size: int = BATCH_SIZE
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError("--batch-size", self.batch_size, "1 or more")


def add_depth(
    dataset: Store,
    destination: Store,
    estimator: str,
    wishes: Wishes,
    *,
    options: DepthOptions | None = None,
    runner: Runner,
    progress: Progress | None = None,
) -> Manifest:
    """Writes the rows of `dataset` with depth maps to `destination`; does nothing if that was done before.

    Shards and row groups stay as they are, unless pictures are left out. Into the dataset's own place goes a new version of it,
    beside the old one.

    Args:
        dataset: Where the rows come from.
        destination: Where they go; the same place is allowed.
        estimator: A name of `RECIPES`.
        wishes: What is wanted of the estimator.
        options: How.
        runner: Who estimates.
        progress: Called with the examples that are done and their total.

    Raises:
        ConfigError: No such estimator, or options that it does not have.
        DataError: No dataset, or no row of it lacks depth, or nothing could be estimated.
        WeightsMissingError: The estimator's weights are not here.
        StoreError: A store cannot be used, or the estimator stopped; run again to continue.
    """
    options = options or DepthOptions()
    before = read_manifest(dataset)
    if before is None:
        raise DataError(f"{dataset.uri}: no dataset here; make one with `g3dr data pack --depth none`")
    recipe = recipe_named(estimator, wishes, before)
    if dataset == destination and _is_done(before, recipe, options):
        return before
    if before.has_depth and not options.overwrite:
        raise DataError(f"{dataset.uri}: every row has a depth map already; --overwrite estimates them anew")
    source = DepthSource.of(
        dataset.uri, before.version, recipe, overwrite=options.overwrite, batch_size=options.batch_size, gpus=options.gpus
    )
    return pack(source, destination, options=_arrangement(before), strict=options.strict, progress=progress, runner=runner)


def _is_done(manifest: Manifest, recipe: Recipe, options: DepthOptions) -> bool:
    """Tells whether a dataset is what this stage makes of one; without it, overwriting in place would never come to an end."""
    source = manifest.source
    if source.get("kind") != "depth" or (options.overwrite and not source["overwrite"]):
        return False
    return fingerprint_of([source["estimator"], source["mapping"]]) == fingerprint_of([recipe.identity(), mapping_identity()])


def _arrangement(manifest: Manifest) -> PackOptions:
    recorded = manifest.source.get("options", {})
    return PackOptions(**{name: int(value) for name, value in recorded.items()})
