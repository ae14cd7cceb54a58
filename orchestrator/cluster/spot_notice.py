"""Tells Ray when AWS takes this spot machine away: `python -m orchestrator.cluster.spot_notice` beside every spot worker.

AWS gives two minutes' notice, in the metadata that only the machine itself can read; Ray's cluster launcher does not ask for it. Once told,
Ray places nothing new here, and the runs that are here write checkpoints. cluster.yaml starts this with the node.

Source: the Amazon EC2 user guide, "Spot Instance interruption notices".
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime

ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
LOOK_SECONDS = 5.0
_ENDPOINT = "http://169.254.169.254"
_TOKEN_SECONDS = 21600
_ANSWER_SECONDS = 2.0
_LEAST_SECONDS = 5

logger = logging.getLogger("spot_notice")


def main(arguments: Sequence[str] | None = None) -> int:
    """Waits for the notice, drains this node and ends.

    Returns:
        0 once Ray knows.
    """
    parser = argparse.ArgumentParser(prog="python -m orchestrator.cluster.spot_notice", description=__doc__)
    parser.add_argument("--address", help="HOST:PORT of the cluster; without it, the one that this machine belongs to")
    parser.add_argument("--node-id", help="the node that is drained; without it, this machine's")
    parser.add_argument("--every", type=float, default=LOOK_SECONDS, help="seconds between two looks (5)")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    while True:
        seconds = seconds_left()
        if seconds is not None and drain(seconds, asked.address, asked.node_id):
            return 0
        time.sleep(asked.every)


def seconds_left() -> float | None:
    """Returns how long this machine still has; None while nobody wants it back, or the metadata do not answer."""
    endpoint = os.environ.get(ENDPOINT_VARIABLE, _ENDPOINT).rstrip("/")
    try:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        token = _ask(f"{endpoint}/latest/api/token", lifetime, "PUT")
        notice = json.loads(_ask(f"{endpoint}/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": token}))
        when = datetime.strptime(notice["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except urllib.error.HTTPError as error:
        if error.code != 404:  # which says: no notice
            logger.warning("the instance metadata answer with %d", error.code)
        return None
    except (OSError, ValueError, KeyError) as error:
        logger.warning("the instance metadata do not answer as they should (%s)", error)
        return None
    return (when - datetime.now(UTC)).total_seconds()


def drain(seconds: float, address: str | None = None, node: str | None = None) -> bool:
    """Has Ray drain a node.

    Args:
        seconds: Until the machine is gone.
        address: Of the cluster; None for the one that this machine belongs to.
        node: Its id; None for this machine's.

    Returns:
        Whether Ray took it in.
    """
    left = max(_LEAST_SECONDS, int(seconds))
    command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--reason=DRAIN_NODE_REASON_PREEMPTION"]
    command += ["--reason-message=the cloud takes this machine back", f"--deadline-remaining-seconds={left}"]
    command += [f"--{name}={value}" for name, value in (("address", address), ("node-id", node)) if value]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        logger.warning("Ray could not be told that this machine goes: %s", (done.stderr or done.stdout).strip().splitlines()[-1:])
        return False
    logger.info("this machine will be gone in %d s: its node is being drained", left)
    return True


def _ask(url: str, headers: dict[str, str], method: str = "GET") -> str:
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310  (http, and of this machine)
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
        return str(answer.read().decode())


if __name__ == "__main__":
    sys.exit(main())
