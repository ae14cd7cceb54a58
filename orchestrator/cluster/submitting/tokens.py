"""The token of a cluster, looked for where Ray itself looks for it."""

from collections.abc import Mapping
from pathlib import Path

from g3dr.errors import G3drError

DEFAULT_FILE = ".ray/auth_token"


class TokenError(G3drError):
    """A token that is named and cannot be read."""


def read_token(environment: Mapping[str, str]) -> str | None:
    """Returns the token that this environment has for a cluster; None for none.

    `RAY_AUTH_MODE=disabled` means none; else, first found first taken: `RAY_AUTH_TOKEN`, the file that `RAY_AUTH_TOKEN_PATH` names,
    `~/.ray/auth_token`.

    Args:
        environment: Variables by name; `HOME` among them.

    Raises:
        TokenError: `RAY_AUTH_TOKEN_PATH` names a file that cannot be read.
    """
    if environment.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return None
    if token := environment.get("RAY_AUTH_TOKEN", "").strip():
        return token
    if named := environment.get("RAY_AUTH_TOKEN_PATH"):
        try:
            return Path(named).expanduser().read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            raise TokenError(f"RAY_AUTH_TOKEN_PATH names {named}, which cannot be read") from None
    return _read_default(environment)


def _read_default(environment: Mapping[str, str]) -> str | None:
    home = environment.get("HOME")
    try:
        return (Path(home) / DEFAULT_FILE).read_text(encoding="utf-8").strip() or None if home else None
    except (OSError, UnicodeDecodeError):
        return None
