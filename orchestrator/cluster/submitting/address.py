"""Where jobs are submitted: the URL of a cluster's dashboard."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from g3dr.errors import G3drError

VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Where Ray itself looks for an address, first found first taken."""

_EXAMPLE = "http://127.0.0.1:8265"
_PORTS = {"http": 80, "https": 443}


class AddressError(G3drError):
    """An address that is not the URL of a dashboard, or that must not be used as it is."""


@dataclass(frozen=True)
class Address:
    """A dashboard.

    Attributes:
        scheme: `http` or `https`.
        host: Its name or number.
        port: Its port.
        path: What a proxy wants before Ray's own paths; mostly empty.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def is_local(self) -> bool:
        """Whether nothing leaves this machine on the way there, at least not in clear: it is a cluster here, or the end of a tunnel."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way reads a token."""
        return self.is_local or self.scheme == "https"


def read_address(given: str | None, environment: Mapping[str, str]) -> Address:
    """Returns the dashboard that is meant.

    Args:
        given: What the user wrote; without it the environment is asked as `ray job submit` asks it.
        environment: Variables by name.

    Raises:
        AddressError: There is none, or it is not the URL of a dashboard.
    """
    found = [("--address", given), *((name, environment.get(name)) for name in VARIABLES)]
    name, text = next(((name, text) for name, text in found if text), ("", None))
    if text is None:
        raise AddressError(f"which cluster? Name its dashboard with --address {_EXAMPLE}, or set {VARIABLES[0]}")
    return _parsed(text, name)


def _parsed(text: str, name: str) -> Address:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise AddressError(f"{name} is not an address; it looks like {_EXAMPLE}") from None
    if "@" in parts.netloc:
        raise AddressError(f"{name} holds a user or a password, which would be written down in many places; set RAY_AUTH_TOKEN instead")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise AddressError(f"{name} is {text!r}; jobs go to the URL of the cluster's dashboard, such as {_EXAMPLE}")
    return Address(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def check_trust(address: Address, token: str | None, *, insecure: bool) -> str:
    """Refuses to talk to another machine as a stranger; returns a warning, which may be empty.

    Args:
        address: The dashboard.
        token: The cluster's, if there is one.
        insecure: The user takes the risk.

    Raises:
        AddressError: The address is not of this machine, and there is no token.
    """
    if token is None and not address.is_local and not insecure:
        raise AddressError(
            f"{address.host} is another machine, and there is no token for it: whoever reaches a job API without one runs code there "
            "(CVE-2023-48022). Set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH, or --insecure if you know better"
        )
    if token is not None and not address.is_private:
        return (
            f"warning: the token goes to {address.host} in clear, for everybody on the way to read; better "
            f"ssh -L {address.port}:127.0.0.1:{address.port} {address.host} and --address http://127.0.0.1:{address.port}"
        )
    return ""


def check_closed(address: Address, *, demands_token: bool, seals: bool, insecure: bool) -> str:
    """Refuses a cluster that lets everybody in; returns a warning, which may be empty.

    Args:
        address: Its dashboard.
        demands_token: Whether it refuses who comes without a token.
        seals: Whether variables are to be passed on.
        insecure: The user takes the risk.

    Raises:
        AddressError: It is open, and either not of this machine or is to get variables.
    """
    if demands_token:
        return ""
    sentence = (
        f"the cluster at {address.url} is open: whoever reaches it runs code there (CVE-2023-48022); start it with RAY_AUTH_MODE=token"
    )
    if seals:
        raise AddressError(f"{sentence}. Without a token --env has nothing to be sealed with")
    if not address.is_local and not insecure:
        raise AddressError(f"{sentence}, or --insecure if you know better")
    return f"warning: {sentence}"
