"""What tests of leases share."""

import time

from orchestrator.ledger.processes import ProcessName
from orchestrator.store import FolderStore, StoreError

ELSEWHERE = ProcessName("elsewhere", "another-boot", "pid:[1]", 1, 1)


class FlakyStore(FolderStore):
    """Refuses everything while it is away."""

    away = False

    def write_bytes(self, path, data):
        self._refuse()
        super().write_bytes(path, data)

    def entries(self, prefix=""):
        self._refuse()
        yield from super().entries(prefix)

    def _refuse(self):
        if self.away:
            raise StoreError("no answer")


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
