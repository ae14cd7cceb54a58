"""Shows a job that is followed: its lines, and on a terminal the live table from the store where that can be read from here."""

import logging
import re
import threading
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from g3dr.errors import G3drError
from orchestrator.cli.status import picture
from orchestrator.running.overview import Overview, overview
from orchestrator.store import Store

_LOOK_SECONDS = 2.0
_STORE_LOGGER = logging.getLogger("orchestrator.store")
_RAYS_OWN = re.compile(r"\sINFO job_manager\.py:\d+ -- |^Running entrypoint for job ")
_PASSING = re.compile(r"^  .*: (finished|stopped)$|^  [\w-]+: .* of [\d,]+(;.*)?$")
"""What `g3dr run` prints for want of a table: the end of each run, and where everything is every ten seconds."""


class StoreLook:
    """Looks at an experiment in the store again and again, in a thread, so that a store that is away delays nobody; a context.

    Args:
        store: The root.
        experiment: Its name.
    """

    def __init__(self, store: Store, experiment: str) -> None:
        self._store, self._experiment = store, experiment
        self._over = threading.Event()
        self._found: Overview | None = None
        self._thread = threading.Thread(target=self._look, name="look", daemon=True)

    def __enter__(self) -> Self:
        _STORE_LOGGER.setLevel(logging.ERROR)  # a store that cannot be read from here is no fault of the job
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        _STORE_LOGGER.setLevel(logging.NOTSET)

    @property
    def found(self) -> Overview | None:
        """What was seen last, while somebody computes the experiment; else None."""
        return self._found

    def _look(self) -> None:
        while not self._over.is_set():
            try:
                seen = overview(self._store, self._experiment, damage=False)
                self._found = seen if seen.running else None
            except (G3drError, OSError, ValueError):
                self._found = None  # not readable from here, or nothing there yet: the job's own lines say enough
            self._over.wait(_LOOK_SECONDS)


class JobScreen:
    """Prints what stays, and draws what passes below it; a context.

    Args:
        console: Where.
        look: Has the experiment as the store has it; without it there is no table.
    """

    def __init__(self, console: Console, look: StoreLook | None) -> None:
        self._console, self._look = console, look if console.is_terminal else None
        self._had_table = False
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=4, transient=True) if self._look else None

    def __enter__(self) -> Self:
        if self._live and self._look:
            self._look.__enter__()
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._look:
            self._live.stop()
            self._look.__exit__()

    def show(self, lines: list[str]) -> None:
        """Prints lines of the job; what the table says is left out once there is one."""
        self._had_table = self._had_table or (self._look is not None and self._look.found is not None)
        for line in lines:
            if not _RAYS_OWN.search(line) and not (self._had_table and _PASSING.search(line)):
                self.tell(line)

    def tell(self, sentence: str) -> None:
        """Prints a sentence of our own."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def _picture(self) -> RenderableType:
        found = self._look.found if self._look else None
        if found is None:
            return Text("" if self._had_table else "the job starts", style="dim")
        return picture(found, self._console.width, self._console.height)
