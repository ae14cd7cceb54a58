"""A quick look at a model in the middle of its training, so that a sweep can stop what is behind."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch

from g3dr.model import G3DR
from orchestrator.computing.evaluation.evaluator import Evaluator, Scope
from orchestrator.computing.evaluation.parts import averages
from orchestrator.runs import RunRequest
from orchestrator.store import Store

PROBED_OBJECTS = 8
_QUICK = Scope(shown=0, features=False)


class Probe:
    """Measures the first few objects of a run's evaluation, without pictures, networks and distribution metrics.

    The objects are the same at every rung and for every run of a sweep, and nothing random is consumed, so a
    training gives the same weights with probes and without.

    Args:
        request: The run; one without an evaluation has no measurements.
        device: Where it computes.
        store: The root of the ledger.
    """

    def __init__(self, request: RunRequest, device: torch.device, store: Store) -> None:
        self._request, self._device, self._store = request, device, store
        self._evaluator: Evaluator | None = None

    def measure(self, model: G3DR) -> Mapping[str, float]:
        """Returns the metrics by name, those that are finite, and leaves the model as it was."""
        spec, selection = self._request.evaluation, self._request.evaluation_selection
        if spec is None or selection is None:
            return {}
        if self._evaluator is None:
            few = replace(spec, images=min(PROBED_OBJECTS, spec.images))
            self._evaluator = Evaluator(few, selection, model.config.generator.resolution, self._device, self._store)
        was_training = model.training
        values = averages(self._evaluator.measure(model.eval(), scope=_QUICK).objects)
        model.train(was_training)
        return {name: value for name, value in values.items() if math.isfinite(value)}
