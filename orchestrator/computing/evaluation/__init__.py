"""From a model to numbers: held-out objects are rendered from known and unknown sides, measured, and compared as a distribution.

What the metrics mean is in `g3dr.metrics`; these rooms decide what is compared with what.

    choosing -> objects (views, values, meshes) -> parts -> evaluator (features, distribution) -> record

An evaluation falls into parts of a few objects, which threads or Ray tasks measure side by side. A part depends on nothing but its
objects, so however the parts were shared out, they are the same and merge to the same record.
"""

from orchestrator.computing.evaluation.evaluator import Evaluator
from orchestrator.computing.evaluation.parts import Part, averages
from orchestrator.computing.evaluation.record import Evaluated, evaluated

__all__ = ["Evaluated", "Evaluator", "Part", "averages", "evaluated"]
