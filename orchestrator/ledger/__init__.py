"""The ledger: the object store is the only truth about what is finished, running and missing.

    runs/<run>/spec.json                          the resolved run
    runs/<run>/status.json                        state, step, seconds
    runs/<run>/lease/<generation>.json            who computes it; the newest counts
    runs/<run>/metrics/<step>.jsonl               rows since the checkpoint before
    runs/<run>/checkpoints/<step>/...             three files, checkpoint.json last
    runs/<run>/evaluations/<evaluation>.json      numbers; pictures, meshes and earlier steps beside it (`evaluations.py`)
    runs/<run>/generated/<set>.json               a measured set of pictures that a denoiser drew; its sheet beside it (`generated.py`)
    runs/<run>/failures/<attempt>.json            why an attempt ended
    runs/<run>/damage/<file>.json                 what was found damaged, and skipped
    experiments/<name>/stages/<stage>.json        which runs a stage consists of

Metrics are written with the checkpoint they lead to, so that a run that is killed and continued holds each
step once. docs/ledger.md says what may be deleted by hand, and what leases guarantee.
"""

from orchestrator.ledger.damage import Damage
from orchestrator.ledger.facade import KEPT_CHECKPOINTS, Ledger
from orchestrator.ledger.keeper import LeaseKeeper
from orchestrator.ledger.lease_record import Holder
from orchestrator.ledger.leases import LEASE_SECONDS, Lease, LeaseLostError, Leases
from orchestrator.ledger.records import Failure, FailureKind, RunState, RunStatus

__all__ = [
    "KEPT_CHECKPOINTS",
    "LEASE_SECONDS",
    "Damage",
    "Failure",
    "FailureKind",
    "Holder",
    "Lease",
    "LeaseKeeper",
    "LeaseLostError",
    "Leases",
    "Ledger",
    "RunState",
    "RunStatus",
]
