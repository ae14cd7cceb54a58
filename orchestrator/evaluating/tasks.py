"""Shares the objects of an evaluation out among Ray tasks; what they measure merges to exactly what one process would."""

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch

from g3dr.errors import G3drError
from g3dr.model import G3DR
from orchestrator.computing.evaluation.evaluator import AT_ONCE, Advance, Evaluator
from orchestrator.computing.evaluation.features import chunks
from orchestrator.computing.evaluation.parts import Part
from orchestrator.computing.evaluation.record import scope_of
from orchestrator.evaluating.measuring import Job, Share

_PARTS_OF_EACH = 4
"""A task measures a quarter of its share at a time, so that a slow machine gets fewer and somebody can see how far it is."""


def among_tasks(tasks: int) -> Share:
    """Returns what measures in so many Ray tasks at a time, each with one CPU, or one GPU where it computes on that.

    Ray must be connected. A task whose machine vanishes is begun again elsewhere.
    """

    def share(job: Job, evaluator: Evaluator, advance: Advance) -> Part:
        return Part.whole(_parts(job, cut(len(evaluator), tasks), tasks, evaluator, advance))

    return share


def cut(objects: int, tasks: int) -> list[range]:
    """Cuts the numbers of objects into parts for so many tasks; each begins at a multiple of what is looked at together."""
    size = -(-objects // (tasks * _PARTS_OF_EACH))
    return chunks(range(objects), max(1, -(-size // AT_ONCE)) * AT_ONCE)


def _parts(job: Job, parts: list[range], tasks: int, evaluator: Evaluator, advance: Advance) -> Iterator[Part]:
    """Yields the parts in their order; this process looks at the real pictures meanwhile."""
    waiting, begun, done = deque(parts), deque[tuple[range, Any]](), 0
    advance(0, len(evaluator))
    while waiting and len(begun) < tasks:
        begun.append(_begun(job, waiting.popleft()))
    evaluator.real()
    while begun:
        part, future = begun.popleft()
        found = _result(future)
        if waiting:
            begun.append(_begun(job, waiting.popleft()))
        done += len(part)
        advance(done, len(evaluator))
        yield found


def _begun(job: Job, part: range) -> tuple[range, Any]:
    import ray  # noqa: PLC0415  (takes seconds, which one process alone does without)

    on_gpu = torch.device(job.device).type == "cuda"
    task = ray.remote(measure_part).options(num_cpus=1, num_gpus=1 if on_gpu else 0)
    return part, task.remote(job, part)


def _result(future: Any) -> Part:
    """Returns what a task measured.

    Raises:
        G3drError: What the task raised, without Ray's pages around it.
    """
    import ray  # noqa: PLC0415

    try:
        part: Part = ray.get(future)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, G3drError):
            raise error.cause from None
        raise
    return part


def measure_part(job: Job, part: range) -> Part:
    """Measures some objects; a Ray task."""
    if torch.device(job.device).type == "cpu":
        torch.set_num_threads(1)
    model, evaluator = _loaded(job)
    return evaluator.measure(model, part, scope_of(job.spec))


@lru_cache(maxsize=1)
def _loaded(job: Job) -> tuple[G3DR, Evaluator]:
    """A process of Ray's computes many parts of the same job."""
    model = job.model()
    return model, job.evaluator(model.config.generator.resolution)
