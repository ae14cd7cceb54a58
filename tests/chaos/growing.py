"""A cluster that Ray's autoscaler grows from nothing and shrinks again, on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path

import psutil

from chaos.cluster import Cluster
from chaos.machines import SOLD_OUT
from chaos.processes import kill, kill_all

HEAD, MACHINE = "ray.head.default", "m"  # the fake provider has the first name built in
_HEAD_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"  # the fake provider's own name for it
_NODE_ID = "RAY_OVERRIDE_NODE_ID_FOR_TESTING"
_NOT_USED = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "rsync_exclude",
    "rsync_filter",
    "cluster_synced_files",
)


@dataclass
class GrowingCluster(Cluster):
    """A head without work; machines come when they are asked for and leave when they idle.

    Attributes:
        most: Machines at the same time.
        idle_minutes: A machine without work leaves after so long.
    """

    most: int = 3
    idle_minutes: float = 0.15

    @property
    def config_file(self) -> Path:
        """What the autoscaler works by."""
        return self.folder / "autoscaler.json"

    @property
    def for_head(self) -> dict[str, str]:
        """The second version of the autoscaler, as `ray up` and KubeRay start it."""
        return {
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
            _NODE_ID: _HEAD_ID,
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            SOLD_OUT: str(self.folder / "sold-out"),
            "G3DR_CLUSTER": str(self.config_file),
        }

    def more_for_head(self, port: int) -> dict[str, object]:
        """Writes the file that the autoscaler works by."""
        from ray._private.services import get_node_ip_address

        config = {
            "cluster_name": "growing",
            "max_workers": self.most,
            "upscaling_speed": 5.0,
            "idle_timeout_minutes": self.idle_minutes,
            "provider": {
                "type": "external",
                "module": "chaos.machines.Machines",
                "gcs_address": f"{get_node_ip_address()}:{port}",
                "head_node_id": _HEAD_ID,
                "launch_multiple": True,
                "use_node_id_as_ip": True,
                "disable_node_updaters": True,
                "disable_launch_config_check": True,
            },
            "auth": {"ssh_user": "none"},
            "docker": {},
            "file_mounts": {},
            "file_mounts_sync_continuously": False,
            **{name: [] for name in _NOT_USED},
            "head_node_type": HEAD,
            "available_node_types": {
                HEAD: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                MACHINE: {"resources": {"CPU": self.cpus}, "node_config": {}, "min_workers": 0, "max_workers": self.most},
            },
        }
        self.config_file.write_text(json.dumps(config, indent=1))
        return {"autoscaling-config": self.config_file}

    def machines(self) -> dict[str, set[psutil.Process]]:
        """Returns the processes of each machine that lives, by the id of its node."""
        found: dict[str, set[psutil.Process]] = {}
        for process in self.processes:
            try:
                name = process.environ().get(_NODE_ID, "")
            except psutil.Error:
                continue
            if name not in ("", _HEAD_ID):
                found.setdefault(name, set()).add(process)
        return found

    def take(self, machine: str) -> int:
        """The cloud takes a machine back without a word; returns how many processes it had."""
        victims = self.machines().get(machine, set())
        kill(victims)
        kill_all(_NODE_ID, machine)
        return len(victims)

    def sell_out(self) -> None:
        """From now on no machine can be had."""
        Path(self.for_head[SOLD_OUT]).touch()

    def restock(self) -> None:
        """Machines can be had again."""
        Path(self.for_head[SOLD_OUT]).unlink(missing_ok=True)
