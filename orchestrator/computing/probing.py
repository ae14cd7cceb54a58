"""A quick look at a model in the middle of its training, so that a sweep can stop what is behind."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch

from g3dr.model import G3DR
from orchestrator.computing.evaluate import averages, measure_objects, spread
from orchestrator.runs import RunRequest
from orchestrator.shards.decoding import DecodedRows
from orchestrator.shards.loading import load_rows

PROBED_OBJECTS = 8


class Probe:
    """Measures the first few objects of a run's evaluation, without pictures and without distribution metrics.

    The objects are the same at every rung and for every run of a sweep, and nothing random is consumed, so a
    training gives the same weights with probes and without.

    Args:
        request: The run; one without an evaluation has no measurements.
        device: Where it computes.
    """

    def __init__(self, request: RunRequest, device: torch.device) -> None:
        self._request, self._device = request, device
        self._rows: DecodedRows | None = None

    def measure(self, model: G3DR) -> Mapping[str, float]:
        """Returns the metrics by name, those that are finite, and leaves the model as it was."""
        spec, selection = self._request.evaluation, self._request.evaluation_selection
        if spec is None or selection is None:
            return {}
        few = replace(spec, images=min(PROBED_OBJECTS, spec.images), orbit_frames=0)
        if self._rows is None:
            self._rows = _first(load_rows(selection, model.config.generator.resolution), few.images)
        was_training = model.training
        values = averages(measure_objects(model.eval(), self._rows, few, self._device, shown=0))
        model.train(was_training)
        return {name: value for name, value in values.items() if math.isfinite(value)}


def _first(rows: DecodedRows, count: int) -> DecodedRows:
    """Keeps the rows that an evaluation of `count` objects would take."""
    chosen = spread(rows.species, count)
    return DecodedRows(
        images=rows.images[chosen],
        depths=rows.depths[chosen],
        keys=tuple(rows.keys[row] for row in chosen),
        species=tuple(rows.species[row] for row in chosen),
        views=tuple(rows.views[row] for row in chosen),
    )
