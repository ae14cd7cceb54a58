"""Looks for the values of secrets in what travels in clear."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from g3dr.errors import G3drError

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSW(OR)?D|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|_KEY$|_PAT$|_PWD$", re.IGNORECASE)
_OF_A_PLACE = re.compile(r"_(PATH|FILE|DIR|FOLDER|URL|URI|HOST|MODE|NAME|ENDPOINT)$", re.IGNORECASE)
_LEAST_LENGTH = 8
_LEAST_LENGTH_PASSED = 16
_TOKEN = "RAY_AUTH_TOKEN"  # noqa: S105


class LeakError(G3drError):
    """The value of a secret stands where everybody who looks would see it."""


def secrets_of(environment: Mapping[str, str], passed: Iterable[str], token: str | None) -> dict[str, str]:
    """Returns what is to be found nowhere, by name.

    Variables whose names say that they are secret, the cluster's token, and of the variables that are passed on those whose values could
    be: short ones, paths and plain URLs stand in files for other reasons.

    Args:
        environment: Variables by name.
        passed: Names of those that are passed on.
        token: The cluster's, if there is one.
    """
    found = {
        name: value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and not _OF_A_PLACE.search(name) and len(value) >= _LEAST_LENGTH and not _is_place(value)
    }
    found |= {name: environment[name] for name in passed if _may_be_secret(environment.get(name, ""))}
    return found | ({_TOKEN: token} if token else {})


def _may_be_secret(value: str) -> bool:
    return len(value) >= _LEAST_LENGTH_PASSED and not _is_place(value)


def _is_place(value: str) -> bool:
    """A path, or a URL without a password."""
    is_url = "://" in value and "@" not in value
    return is_url or (value.startswith(("/", "~", ".")) and Path(value).expanduser().exists())


def check_leaks(files: Iterable[tuple[str, bytes]], texts: Sequence[tuple[str, str]], secrets: Mapping[str, str]) -> None:
    """Refuses what holds the value of a secret.

    Args:
        files: Paths with what they hold.
        texts: Other things that travel, with what to call them.
        secrets: Values by the names of their variables.

    Raises:
        LeakError: One was found; the sentence names the place and the variable, not the value.
    """
    values = {name: value.encode() for name, value in secrets.items()}
    for where, data in (*((name, text.encode()) for name, text in texts), *files):
        for name, value in values.items():
            if value in data:
                raise LeakError(f"{where} holds the value of {name} and would travel in clear: take it out, or list the file in .rayignore")
