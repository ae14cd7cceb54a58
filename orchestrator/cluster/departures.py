"""Notices that a machine of a run will be taken away, in time for a checkpoint.

Ray is told of it by `ray drain-node`: by KubeRay, by whoever maintains the cluster, or on AWS by `orchestrator.cluster.spot_notice`.
`ray.train.get_preemption_info` says the same, but only to runs under Ray Train, and every worker has to ask for it at the same step and
wait for the others; this is asked beside the training, by the one worker that writes, and by inline runs too.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

LOOK_SECONDS = 2.0
CHECKPOINT_SECONDS = 15.0
"""While a machine is on its way out, checkpoints are written this often: so much is lost at most, and nothing waits for what Ray does."""

logger = logging.getLogger(__name__)


class Departures:
    """Looks, while a with block lasts, whether a machine of this run is leaving.

    Args:
        leaving: Returns the ids of the nodes that will go.
        own: Returns the ids of the nodes that this run has workers on.
        clock: Seconds.
        look_seconds: From one look to the next.
    """

    def __init__(
        self,
        leaving: Callable[[], frozenset[str]] | None = None,
        own: Callable[[], frozenset[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._leaving, self._own, self._clock, self._pause = leaving or leaving_nodes, own or nodes_of_run, clock, look_seconds
        self._ended, self._is_leaving = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._urged = float("-inf")

    def __enter__(self) -> "Departures":
        """Begins to look, if this process belongs to a cluster."""
        if _has_ray():
            self._thread = threading.Thread(target=self._look, name="departures", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the looking; a look that hangs is left alone."""
        self._ended.set()

    def urge(self, step: int) -> bool:
        """Tells whether a checkpoint is due now because a machine is leaving; at most every fifteen seconds.

        Args:
            step: Of the training, for the log.
        """
        now = self._clock()
        if not self._is_leaving or now - self._urged < CHECKPOINT_SECONDS:
            return False
        if self._urged == float("-inf"):
            logger.warning("a machine of this run will be taken away: checkpoint at step %d", step)
        self._urged = now
        return True

    def _look(self) -> None:
        own: frozenset[str] = frozenset()
        while not self._ended.wait(self._pause):
            try:
                own = own or self._own()
                self._is_leaving = bool(own & self._leaving())
            except Exception:  # the head node may be away for a while; the run does not need it
                logger.debug("cannot ask which machines are leaving", exc_info=True)


def leaving_nodes() -> frozenset[str]:
    """Returns the ids of the nodes of which Ray was told that they will go."""
    from ray._private import state  # noqa: PLC0415  (Ray says it nowhere else but to Ray Train)

    return frozenset(state.state.get_draining_nodes())


def nodes_of_run() -> frozenset[str]:
    """Returns the ids of the nodes on which this process and those it was placed together with stand."""
    import ray  # noqa: PLC0415
    from ray.util import get_current_placement_group, placement_group_table  # noqa: PLC0415

    own = {ray.get_runtime_context().get_node_id()}
    group = get_current_placement_group()
    places = placement_group_table(group).get("bundles_to_node_id", {}) if group is not None else {}
    return frozenset(own | {node for node in places.values() if node})


def _has_ray() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
