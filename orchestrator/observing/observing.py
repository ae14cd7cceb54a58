"""Exports an experiment's numbers while it is computed, from a thread: nothing here delays or fails it."""

import logging
import threading
from typing import Self

from orchestrator.observing.exporter import Exporter, RayExporter
from orchestrator.observing.tally import Tally

logger = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
"""Ray forgets a gauge that nobody set for twice its interval of 10 s."""

_LAST_WORD_SECONDS = 2.0


class Observed:
    """A context in which the numbers of its `tally` are exported; at its end nothing is said to run any more.

    Args:
        experiment: Its name.
        exporter: Takes the numbers; Ray's if not given.
        every: Seconds between two exports.
    """

    def __init__(self, experiment: str, exporter: Exporter | None = None, every: float = EVERY_SECONDS) -> None:
        self.tally = Tally(experiment)
        self._exporter, self._every = exporter or RayExporter(), every
        self._over = threading.Event()
        self._has_warned = False
        self._thread = threading.Thread(target=self._keep_exporting, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.tally.experiment_ended("")
        self._over.set()
        self._thread.join(_LAST_WORD_SECONDS)

    def _keep_exporting(self) -> None:
        while not self._over.is_set():
            self._export()
            self._over.wait(self._every)
        self._export()

    def _export(self) -> None:
        try:
            self._exporter.export(self.tally.samples())
        except Exception as error:  # noqa: BLE001, RUF100  (whatever Ray raises: nobody's training depends on a number on a dashboard)
            if not self._has_warned:
                logger.warning("Prometheus does not see what runs, the experiment goes on (%s: %s)", type(error).__name__, error)
            self._has_warned = True
