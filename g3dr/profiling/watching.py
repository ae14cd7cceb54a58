"""A trainer whose steps tell where they are. Watched or not, it computes what every trainer computes."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from g3dr.backbones import Backbones
from g3dr.config import ObjectiveConfig, TrainingConfig
from g3dr.losses import FeatureStore, Objective
from g3dr.losses.objective import Computation
from g3dr.model import G3DR
from g3dr.profiling.instruments import Cost, Stopwatch, bounded
from g3dr.render import NodeTable
from g3dr.training.optimization import ALONE, Place
from g3dr.training.trainer import Trainer
from g3dr.types import Batch, Rendering

DATA, NETWORK, TABLE, RAYS, RENDERING, OPTIMIZER = "data", "U-Net", "node table", "rays and chance", "rendering", "optimizer"
LOSS = "loss: "


class WatchedObjective(Objective):
    """Tells the stopwatch when each term begins and ends."""

    def __init__(self, config: ObjectiveConfig, backbones: Backbones, store: FeatureStore | None, watch: Stopwatch) -> None:
        super().__init__(config, backbones, store)
        self._watch = watch

    def evaluate_term(self, name: str, computation: Computation) -> Tensor:
        """See Objective."""
        value = computation()
        self._watch.forward(LOSS + name)
        if not self._watch.is_running:
            return value
        (passed,) = bounded(lambda: self._watch.backward(LOSS + name), value)
        return passed


class WatchedTrainer(Trainer):
    """Tells the stopwatch when the parts of a step begin and end, at boundaries that the gradient passes on its way back.

    Args:
        model: The model; it keeps its hooks until `close`.
        objective: The losses.
        config: The training's settings.
        watch: The stopwatch.
        seed: Seeds all chance of the training.
        place: As for every trainer.
    """

    def __init__(
        self, model: G3DR, objective: WatchedObjective, config: TrainingConfig, watch: Stopwatch, *, seed: int, place: Place = ALONE
    ) -> None:
        super().__init__(model, objective, config, seed=seed, place=place)
        self._watch, self._hooks = watch, ExitStack()
        builder, renderer = model.renderer.builder, model.renderer
        for handle in (
            self._losses.register_forward_pre_hook(lambda *_: watch.forward(DATA)),
            builder.register_forward_pre_hook(self._before_table),
            builder.register_forward_hook(self._after_table),
            renderer.register_forward_pre_hook(lambda *_: watch.forward(RAYS)),
            renderer.register_forward_hook(self._after_rendering),
        ):
            self._hooks.callback(handle.remove)

    def close(self) -> None:
        """Takes the hooks off the model."""
        self._hooks.close()

    def timed_step(self, batches: Callable[[], Batch]) -> float:
        """Does one step that nobody watches; returns its seconds."""
        started = self._watch.now()
        self.run_step(batches())
        return self._watch.now() - started

    def watched_step(self, batches: Callable[[], Batch], *, count_memory: bool = False) -> dict[str, Cost]:
        """Does one step under the stopwatch, beginning with the reading of its batch.

        Args:
            batches: A function that returns a batch.
            count_memory: Count what is kept for the way back too; this takes time of its own.
        """
        ignored = {parameter.untyped_storage().data_ptr() for parameter in self.model.parameters()}
        with self._watch.counting(ignored) if count_memory else ExitStack():
            self._watch.start()
            self.run_step(batches())
            self._watch.forward(OPTIMIZER)
        return self._watch.stop()

    def _gradients_of_part(self, batch: Batch, rows: slice) -> dict[str, Tensor]:
        terms = super()._gradients_of_part(batch, rows)
        self._watch.backward(None)
        return terms

    def _before_table(self, _: torch.nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self._watch.forward(NETWORK)
        return (*self._bounded(NETWORK, inputs[0]), *inputs[1:])

    def _after_table(self, _: torch.nn.Module, __: Any, table: NodeTable) -> NodeTable:
        self._watch.forward(TABLE)
        (rows,) = self._bounded(TABLE, table.rows)
        return replace(table, rows=rows)

    def _after_rendering(self, _: torch.nn.Module, __: Any, rendering: Rendering) -> Rendering:
        self._watch.forward(RENDERING)
        rgb, depth, opacity = self._bounded(RENDERING, rendering.rgb, rendering.depth, rendering.opacity)
        return replace(rendering, rgb=rgb, depth=depth, opacity=opacity)

    def _bounded(self, name: str, *values: Tensor) -> tuple[Tensor, ...]:
        return bounded(lambda: self._watch.backward(name), *values) if self._watch.is_running else values
