"""Measures models on chosen objects: one evaluation, ready for any number of models."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock

import torch

from g3dr.backbones import Backbones, FeatureExtractor, load_extractor
from g3dr.export.workers import workers
from g3dr.metrics import FeatureStatistics, perceptual_network
from g3dr.model import G3DR
from orchestrator.computing.evaluation.choosing import Choice
from orchestrator.computing.evaluation.distribution import RealPictures
from orchestrator.computing.evaluation.features import chunks, features_of, real_features
from orchestrator.computing.evaluation.objects import Look, Networks, Wanted, look_at
from orchestrator.computing.evaluation.parts import Part
from orchestrator.computing.evaluation.views import known_views, unknown_poses
from orchestrator.runs import EvaluationSpec
from orchestrator.shards.decoding import DecodedRows
from orchestrator.shards.selection import Selection
from orchestrator.store import Store

AT_ONCE = 8
"""Objects whose novel views the extractor looks at together; where parts are cut, so that it sees the same however they are shared out."""

SHOWN_OBJECTS = 8

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Scope:
    """How much of an evaluation is done.

    Attributes:
        shown: The first so many objects get pictures for the report.
        meshes: The first so many get a mesh.
        features: Look at novel views for the distribution metrics.
    """

    shown: int = SHOWN_OBJECTS
    meshes: int = 0
    features: bool = True


NUMBERS_ONLY = Scope(shown=0)


def _nobody_told(done: int, total: int) -> None:
    """The `Advance` of whoever does not want to know."""


class Evaluator:
    """One evaluation; what does not depend on the model is loaded once.

    Args:
        spec: What is measured.
        selection: The rows that `spec.data` means.
        resolution: Side of the pictures, pixels; the model's.
        device: Where it computes.
        store: The root of the ledger, which keeps features of real pictures.
        objective: Networks of the training's terms, if these are measured too.
        advance: Called with the objects that are done and all of them; None tells nobody.
    """

    def __init__(
        self,
        spec: EvaluationSpec,
        selection: Selection,
        resolution: int,
        device: torch.device,
        store: Store,
        *,
        objective: Backbones | None = None,
        advance: Advance | None = None,
    ) -> None:
        self.spec, self.selection, self.resolution, self.device = spec, selection, resolution, device
        self._store, self._objective, self._advance = store, objective, advance or _nobody_told
        self._choice = Choice(selection, spec.images)
        self._rows: tuple[range, DecodedRows] | None = None
        self._done, self._lock = 0, Lock()

    def __len__(self) -> int:
        return len(self._choice)

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The network of the distribution metrics."""
        return load_extractor(self.spec.extractor, str(self.device))  # type: ignore[arg-type]  # checked in the settings

    @cached_property
    def networks(self) -> Networks:
        """The networks that look at single objects."""
        return Networks(perceptual_network(self.device), self._objective)

    def measure(self, model: G3DR, part: range | None = None, scope: Scope = NUMBERS_ONLY) -> Part:
        """Renders and measures objects, side by side in as many threads as there are cores.

        Args:
            model: In evaluation mode, on the evaluator's device.
            part: Numbers of the objects; None for all. Parts that begin at multiples of `AT_ONCE` merge to exactly the whole.
            scope: What is made of them.

        Raises:
            DataError: The data set is missing, has changed or is damaged.
        """
        part = range(len(self)) if part is None else part
        rows, poses = self._loaded(part), unknown_poses(self.spec.seed, len(self), self.spec.views)
        networks = self.networks if scope.features else Networks()
        self._done = 0
        self._advance(0, len(part))

        def measured(numbers: range) -> Part:
            started = time.perf_counter()
            looks = []
            for number in numbers:
                batch = rows.batch([number - part.start]).to(self.device)
                truth = known_views(rows, number - part.start, self.spec.views)
                wanted = self._wanted(scope, number)
                looks.append(look_at(model, batch, truth, poses[number], networks=networks, wanted=wanted))
                self._tell(len(part))
            return self._part(looks, scope, started)

        with workers(self.device) as pool:
            return Part.whole(pool.map(measured, chunks(part, AT_ONCE)))

    def _loaded(self, part: range) -> DecodedRows:
        if self._rows is None or self._rows[0] != part:
            self._rows = part, self._choice.load(self.resolution, part)
        return self._rows[1]

    def _wanted(self, scope: Scope, number: int) -> Wanted:
        return Wanted(number < scope.shown, self.spec.orbit_frames, number < scope.meshes, self.spec.perceptual_views)

    def _part(self, looks: Sequence[Look], scope: Scope, started: float) -> Part:
        objects, rendering = tuple(look.measured for look in looks), sum(look.rendering_seconds for look in looks)
        part = Part(objects, rendering_seconds=rendering)
        if scope.features:
            features = features_of(self.extractor, torch.stack([look.view for look in looks]), [item.key for item in objects])
            part = replace(part, features=features)
        return replace(part, seconds=time.perf_counter() - started)

    def _tell(self, total: int) -> None:
        with self._lock:
            self._done += 1
            self._advance(self._done, total)

    def real(self) -> RealPictures:
        """Returns the features of the real pictures: of the inputs, and of as many other objects where the data has them."""
        inputs, others = self._real_features(self._choice), self._others()
        if others is None:
            return RealPictures(inputs, self.selection.split)
        return RealPictures(inputs, self.selection.split, self._real_features(others), others.species, others.selection.split)

    def _real_features(self, choice: Choice) -> FeatureStatistics:
        return real_features(choice, self.extractor, self.resolution, self.device, self._store)

    def _others(self) -> Choice | None:
        """Returns as many rows of the training split of the same species; None where it lacks one, or is itself what is measured."""
        selection = self.selection
        known = set(selection.manifest().species("train"))
        if selection.split == "train" or not known or not known.issuperset(selection.species or ()):
            return None
        return Choice(Selection(selection.dataset, selection.version, "train", selection.species), len(self))
