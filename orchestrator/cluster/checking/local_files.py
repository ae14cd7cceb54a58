"""What a launcher file wants from this machine: files to copy, and keys."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.cluster.checking.findings import Finding, doubtful, wrong
from orchestrator.cluster.checking.security import TOKEN_PATH

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def file_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields files that are missing here, or that others can read. Paths are relative to the working directory, as for `ray up`."""
    for remote, local in (config.get("file_mounts") or {}).items():
        path, place = f"file_mounts.{remote}", Path(str(local)).expanduser()
        if str(remote).rstrip("/").endswith(TOKEN_PATH):
            yield from _token(path, str(local), place)
        elif not place.exists():
            yield wrong(path, str(local), "a file or folder that is there, relative to the folder where `ray up` is called")
        elif (place / ".git").exists() or (place / ".venv").exists():
            yield doubtful(
                path, str(local), "folders of code by name: Ray reads all of this folder each time, and copies what no exclusion names"
            )


def _token(path: str, local: str, place: Path) -> Iterator[Finding]:
    if not place.is_file():
        yield wrong(path, local, "a file with the token, which `ray get-auth-token --generate` makes")
    elif place.stat().st_mode & _OTHERS:
        mode = stat.S_IMODE(place.stat().st_mode)
        yield wrong(path, f"mode {mode:o}", f"mode 600, as whoever reads it can run code on the cluster (chmod 600 {local})")


def key_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields ssh keys that Ray would look for in vain."""
    auth = config.get("auth") or {}
    for name in ("ssh_private_key", "ssh_public_key"):
        key = auth.get(name)
        if key is not None and not Path(str(key)).expanduser().is_file():
            yield wrong(f"auth.{name}", str(key), "a key file that is there; without one Ray makes a pair")
    if "ssh_private_key" in auth and (config.get("provider") or {}).get("type") == "aws":
        for name, kind in config["available_node_types"].items():
            if not {"KeyName", "UserData", "LaunchTemplate"} & set(kind["node_config"]):
                yield wrong(
                    f"available_node_types.{name}.node_config.KeyName",
                    None,
                    "the name of the key pair that auth.ssh_private_key belongs to",
                )
