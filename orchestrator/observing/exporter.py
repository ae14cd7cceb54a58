"""Hands numbers to Ray, whose agent on this machine keeps them for whoever asks."""

from collections.abc import Iterable
from typing import Any, Protocol

from orchestrator.observing.catalog import Metric
from orchestrator.observing.tally import Sample


class Exporter(Protocol):
    """Takes numbers; tests have others."""

    def export(self, samples: Iterable[Sample]) -> None:
        """Takes all numbers as they are now."""


class RayExporter:
    """Exports through `ray.util.metrics`; does nothing where Ray is not connected."""

    def __init__(self) -> None:
        self._instruments: dict[str, Any] = {}
        self._told: dict[tuple[str, tuple[str, ...]], float] = {}

    def export(self, samples: Iterable[Sample]) -> None:
        """Sets gauges, and adds to counters what they grew by since the last time."""
        import ray  # noqa: PLC0415  (after its environment is set)

        if not ray.is_initialized():
            return
        for sample in samples:
            labels = dict(zip(sample.metric.labels, sample.labels, strict=True))
            if sample.metric.kind == "gauge":
                self._instrument(sample.metric).set(float(sample.value), labels)
            else:
                self._add(sample, labels)

    def _add(self, sample: Sample, labels: dict[str, str]) -> None:
        key = (sample.metric.name, sample.labels)
        more = sample.value - self._told.get(key, 0.0)
        if more > 0:
            self._instrument(sample.metric).inc(float(more), labels)
            self._told[key] = sample.value

    def _instrument(self, metric: Metric) -> Any:
        from ray.util import metrics  # noqa: PLC0415

        if metric.name not in self._instruments:
            make = metrics.Gauge if metric.kind == "gauge" else metrics.Counter
            self._instruments[metric.name] = make(metric.name, metric.meaning, metric.labels)
        return self._instruments[metric.name]
