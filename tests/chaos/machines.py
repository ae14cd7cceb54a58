"""A cloud on this machine: Ray's fake node provider, with machines that vanish when killed, and of which none may be left to rent."""

import json
import os
import subprocess
from pathlib import Path

from ray._private import ray_constants
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.tags import STATUS_UP_TO_DATE, TAG_RAY_NODE_KIND, TAG_RAY_NODE_NAME, TAG_RAY_NODE_STATUS, TAG_RAY_USER_NODE_TYPE
from s3 import free_port

from chaos.cluster import AGENT_PORTS, ANY_WORKER_PORT, NODE, OBJECT_STORE_BYTES, RAY

SOLD_OUT = "G3DR_CHAOS_SOLD_OUT"
"""While the file that this variable names is there, no machine can be had."""


class Machines(FakeMultiNodeProvider):
    """Ray's autoscaler asks it for machines; each is a `ray start` of its own, with ports and a folder that no other machine has."""

    def create_node_with_resources_and_labels(self, node_config, tags, count, resources, labels):
        """Starts machines, unless none are left."""
        if Path(os.environ[SOLD_OUT]).exists():
            raise NodeLaunchException("sold out", "no machine of this type can be had at the moment", None)
        for _ in range(count):
            self._start(tags, dict(resources), labels)

    def _start(self, tags, resources, labels):
        with self.lock:
            name = self._next_hex_node_id()
            kind = tags[TAG_RAY_USER_NODE_TYPE]
            log = Path(os.environ["HOME"], f"{kind}-{int(name[-5:])}.log")
            process = _ray_start(
                {"address": self._gcs_address, "num-cpus": resources.pop("CPU", 0)}, _identity(name, kind, resources, labels), log
            )
            own = {
                TAG_RAY_NODE_KIND: "worker",
                TAG_RAY_USER_NODE_TYPE: kind,
                TAG_RAY_NODE_NAME: name,
                TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
            }
            self._nodes[name] = {"tags": {**own, **tags}, "process": process}

    def non_terminated_nodes(self, tag_filters):
        """Lists what is there; a cloud no longer lists a machine that it has taken back."""
        with self.lock:
            gone = [name for name, node in self._nodes.items() if "process" in node and node["process"].poll() is not None]
            for name in gone:
                del self._nodes[name]
        return super().non_terminated_nodes(tag_filters)

    def terminate_node(self, node_id):
        """Ends a machine, if it is still there."""
        with self.lock:
            node = self._nodes.pop(node_id, None)
        if node is not None:
            node["process"].terminate()  # `ray start --block` ends what it started


def _identity(name, kind, resources, labels):
    """The environment by which Ray's autoscaler recognises a node."""
    return {
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": name,
        "RAY_CLOUD_INSTANCE_ID": name,
        "RAY_NODE_TYPE_NAME": kind,
        ray_constants.RESOURCES_ENVIRONMENT_VARIABLE: json.dumps(resources),
        ray_constants.LABELS_ENVIRONMENT_VARIABLE: json.dumps(labels),
        NODE: name,
    }


def _ray_start(options, identity, log):
    folder, ports = log.with_suffix(""), {f"{agent}-port": free_port() for agent in AGENT_PORTS}
    _say_port(folder, identity[NODE], ports["dashboard-agent-listen-port"])
    options = {
        **options,
        **ports,
        "temp-dir": folder,  # sockets, and packages that another machine would delete, lie there
        "object-store-memory": OBJECT_STORE_BYTES,
    }
    words = [f"--{option}={value}" for option, value in options.items()]
    with log.open("w") as out:
        command = [RAY, "start", "--block", *ANY_WORKER_PORT, *words]
        return subprocess.Popen(command, env={**os.environ, **identity}, stdout=out, stderr=out, start_new_session=True)


def _say_port(folder, node, port):
    """Writes down the port of a node's agent before it does itself: a raylet gives it fifteen seconds, and dies on a busy machine."""
    session = folder / Path(os.environ["HOME"], "r", "session_latest").resolve().name
    session.mkdir(parents=True)
    (session / f"dashboard_agent_listen_port_{node}").write_text(str(port))
