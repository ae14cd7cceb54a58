"""The batches of a run: those it trains on, in order, and those it is measured on."""

from collections.abc import Iterator

from g3dr.errors import CheckpointError
from g3dr.types import Batch
from orchestrator.computing.evaluation.choosing import Choice
from orchestrator.computing.placement import Placement
from orchestrator.runs import RunRequest
from orchestrator.shards.streaming import stream

_MEASURED_TOGETHER = 16


def batches_from(request: RunRequest, placement: Placement, start: int) -> Iterator[Batch]:
    """Returns this worker's part of all batches from step `start` on."""
    settings = request.spec.training
    return stream(
        request.selection,
        seed=request.spec.seed,
        start_step=start,
        steps=settings.steps - start,
        batch_size=settings.batch_size,
        rank=placement.rank,
        world_size=placement.world_size,
        flip=settings.flip,
        resolution=request.spec.resolution,
    )


def held_out_batches(request: RunRequest, images: int) -> Iterator[Batch]:
    """Yields the rows that a run is measured on, species in turn.

    Args:
        request: The run.
        images: How many at most.

    Raises:
        CheckpointError: The request asks for no evaluation.
        DataError: The data set is missing, has changed or is damaged.
    """
    selection = request.evaluation_selection
    if selection is None:
        raise CheckpointError(f"run {request.spec.id} asks for no evaluation")
    choice = Choice(selection, images)
    for start in range(0, len(choice), _MEASURED_TOGETHER):
        part = range(start, min(start + _MEASURED_TOGETHER, len(choice)))
        yield choice.load(request.spec.resolution, part, views=False).batch(range(len(part)))
