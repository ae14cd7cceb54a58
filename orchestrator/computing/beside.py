"""A process beside the training that measures its checkpoints with what the machine has left.

    python -m orchestrator.computing.beside

Its first line of input is a JSON object: `root`, `request`, `device`. Every further line means that a checkpoint was written. The
end of the input ends it at once, so that it never outlives whoever started it, however that ended; what it was at is measured by
somebody else then. It knows nothing but the ledger, and gives nothing back but records there.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

NICENESS = 15
"""Of 19: where training wants every core, this process gets a thirtieth of one."""

_PATIENCE_SECONDS = 10.0


class Beside:
    """The process, seen from the training; a context that ends it. It is started when there is something to do.

    Args:
        about: Gives its first line: `root`, the URI of the ledger's store, `request`, the run as JSON, and `device`.
    """

    def __init__(self, about: Callable[[], dict[str, Any]]) -> None:
        self._about = about
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Has it look for new checkpoints; if it has died, whatever waits is left to the end of the training."""
        if self._process is None:
            self._process = self._started()
            self._write(json.dumps(self._about()))
        self._write("look")

    def _write(self, line: str) -> None:
        pipe = self._pipe()
        with suppress(OSError, ValueError):
            if pipe is not None:
                pipe.write(line.encode() + b"\n")
                pipe.flush()

    def _pipe(self) -> IO[bytes] | None:
        return self._process.stdin if self._process is not None else None

    @staticmethod
    def _started() -> "subprocess.Popen[bytes]":
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "orchestrator.computing.beside"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)

    def end(self) -> None:
        """Ends it: at once, unless it is writing a record."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Measures until the input ends."""
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, whose end is noticed here
    first, looks, writing = json.loads(sys.stdin.readline() or "null"), queue.SimpleQueue[None](), threading.Lock()
    threading.Thread(target=_listen, args=(looks, writing), daemon=True).start()
    if first is not None:
        _measure(first, looks, writing)


def _listen(looks: "queue.SimpleQueue[None]", writing: threading.Lock) -> None:
    for _ in sys.stdin:
        looks.put(None)
    with writing:
        os._exit(0)


def _measure(first: dict[str, Any], looks: "queue.SimpleQueue[None]", writing: threading.Lock) -> None:
    import torch  # noqa: PLC0415  (takes seconds, in which the end of the input is noticed already)

    from orchestrator.computing.evaluation.steps import StepMeasurer, StepPlan  # noqa: PLC0415
    from orchestrator.ledger import Ledger  # noqa: PLC0415
    from orchestrator.runs import RunRequest  # noqa: PLC0415
    from orchestrator.store import open_store  # noqa: PLC0415

    torch.set_num_threads(1)
    plan = StepPlan(RunRequest.from_json(first["request"]), Ledger(open_store(first["root"])))
    measurer = StepMeasurer(plan, torch.device(first["device"]))
    while True:
        looks.get()
        measurer.measure_waiting(lambda: writing)


if __name__ == "__main__":
    main()
