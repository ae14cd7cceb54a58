"""Who could run code on a cluster: tokens, dashboards, open ports, secrets in the file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cluster.checking.findings import HIDDEN, Finding, doubtful, is_placeholder, leaves, wrong
from orchestrator.cluster.checking.versions import commands_of

START_KEYS = ("head_start_ray_commands", "worker_start_ray_commands")
TOKEN_PATH = ".ray/auth_token"  # noqa: S105  (where it lies, not what it says)
HERE = ("127.0.0.1", "localhost", "::1")
EVERYBODY = ("0.0.0.0/0", "::/0")

_MODE = re.compile(r"RAY_AUTH_MODE=['\"]?(\w+)")
_HOST = re.compile(r"--dashboard-host[ =]['\"]?([\w.:\[\]]+)")
_SECRETS = (
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(
        r"(?i)\b\w*(?:AUTH_TOKEN|SECRET_ACCESS_KEY|SECRET_KEY|API_KEY|PASSWORD|ACCESS_TOKEN|HF_TOKEN)\s*[=:]\s*['\"]?(?![$'\"\s])[^\s'\";]{4,}"
    ),
    re.compile(r"(?i)bearer\s+[0-9a-z._-]{16,}"),
)
_SECRET_KEY = re.compile(r"(?i)(?:auth_token|secret_access_key|secret_key|api_key|password|access_token|session_token)$")

_PLACES = ("$", "~", "/", ".")
"""How a value begins that says where a secret is."""


def start_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is open in how Ray is started.

    Args:
        config: A launcher file with its defaults, which open the dashboard to everybody.
    """
    options = [str(option) for path, option in leaves(config.get("docker") or {}) if "run_options" in path]
    for path, command in commands_of(config, START_KEYS):
        if "ray start" not in command:
            continue
        modes = [*_MODE.findall(command), *(mode for option in options for mode in _MODE.findall(option))]
        if modes[-1:] != ["token"]:
            got = f"RAY_AUTH_MODE={modes[-1]}" if modes else "no RAY_AUTH_MODE"
            yield wrong(path, got, "RAY_AUTH_MODE=token: an open Ray port lets anyone who reaches it run code (CVE-2023-48022)")
        for host in _HOST.findall(command):
            if host.strip("[]") not in HERE:
                yield wrong(
                    path, f"--dashboard-host={host}", "127.0.0.1, reached by `ray dashboard`, through ssh: whoever reaches it can run jobs"
                )
    yield from _token_arrives(config)


def _token_arrives(config: Mapping[str, Any]) -> Iterator[Finding]:
    mounts = config.get("file_mounts") or {}
    named = any("RAY_AUTH_TOKEN_PATH=" in command for _, command in commands_of(config, (*START_KEYS, "setup_commands")))
    if not named and not any(str(remote).rstrip("/").endswith((TOKEN_PATH, ".ray")) for remote in mounts):
        yield wrong(
            "file_mounts",
            "no token",
            f"~/{TOKEN_PATH}: ~/{TOKEN_PATH}, which brings the token to every machine (ray get-auth-token --generate)",
        )


def port_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields ports that are opened to the whole internet."""
    rules = ((config.get("provider") or {}).get("security_group") or {}).get("IpPermissions") or []
    for number, rule in enumerate(rules):
        path = f"provider.security_group.IpPermissions.{number}"
        ranges = [str(value) for _, value in leaves(rule)]
        if not any(everybody in ranges for everybody in EVERYBODY):
            continue
        ports = (rule.get("FromPort"), rule.get("ToPort"))
        words = f"ports {ports[0]} to {ports[1]} for everybody"
        if ports == (22, 22):
            yield doubtful(path, words, "port 22 for your own address only")
        else:
            yield wrong(path, words, "no port but 22, and that for your own address: ssh brings the dashboard over")


def secret_findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields secrets that stand in a file; never what they are."""
    for path, value in leaves(document):
        if not isinstance(value, str) or is_placeholder(value):
            continue
        key = path.rpartition(".")[2]
        if any(pattern.search(value) for pattern in _SECRETS) or (_SECRET_KEY.search(key) and value and not value.startswith(_PLACES)):
            yield wrong(
                path, HIDDEN, "no secret: this file is kept, copied to machines and shown; a token belongs into a file that is mounted"
            )


def credential_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields credentials of a person that would lie on every machine."""
    for remote, local in (config.get("file_mounts") or {}).items():
        if any(folder in str(place) for place in (remote, local) for folder in ("/.aws", "/.config/gcloud", "/.azure", "/.kube")):
            allowed = "a role of the machine (IamInstanceProfile), which can do less and expires"
            yield wrong(f"file_mounts.{remote}", str(local), allowed)
    if (config.get("provider") or {}).get("aws_credentials"):
        yield wrong("provider.aws_credentials", HIDDEN, "credentials of your environment or profile, which Ray finds by itself")
