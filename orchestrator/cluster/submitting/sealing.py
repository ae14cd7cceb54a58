"""Values of environment variables on their way to a cluster: only who has the cluster's token can open them.

Ray writes the `env_vars` of a job in clear into a log of every node, into the command lines of starting workers, into its control store
and into what `ray job list` prints. So they travel in one variable, encrypted and authenticated (Fernet: AES-128 and HMAC-SHA256) with a
key made from the token (HKDF-SHA256). Whoever has the token may run code on the cluster, and so could read them anyway.
"""

import base64
import json
import os
from collections.abc import Mapping

from g3dr.errors import G3drError

VARIABLE = "G3DR_SEALED"
"""The environment variable that carries them."""

MOST_BYTES = 64 * 1024
"""Linux allows 128 KB for one word of a command line, where Ray puts it in JSON."""

_SALT_BYTES = 16
_PURPOSE = b"g3dr: environment of a job"
_VERSION = "1"


class SealError(G3drError):
    """Values that cannot be sealed, or opened."""


def seal(values: Mapping[str, str], token: str) -> str:
    """Returns `values` as printable text that only `token` opens; the same values look different each time.

    Raises:
        SealError: They are too long to travel in an environment variable.
    """
    from cryptography.fernet import Fernet  # noqa: PLC0415  (workers of jobs without secrets do without)

    salt = os.urandom(_SALT_BYTES)
    body = Fernet(_key(token, salt)).encrypt(json.dumps(dict(values)).encode()).decode()
    text = ".".join((_VERSION, base64.urlsafe_b64encode(salt).decode(), body))
    if len(text) > MOST_BYTES:
        raise SealError(f"the values of --env are too long: sealed {len(text):,} bytes, allowed are {MOST_BYTES:,}")
    return text


def unseal(text: str, token: str) -> dict[str, str]:
    """Returns the values that `seal` was given.

    Raises:
        SealError: The token is another one, or the text was changed.
    """
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415

    try:
        version, salt, body = text.split(".")
        if version != _VERSION:
            raise SealError(f"{VARIABLE} is of version {version}, this program reads {_VERSION}: the cluster has another version of it")
        opened = Fernet(_key(token, base64.urlsafe_b64decode(salt))).decrypt(body.encode())
    except (ValueError, InvalidToken):
        raise SealError(f"{VARIABLE} does not open with the token of this machine: it was sealed with another token") from None
    return {str(name): str(value) for name, value in json.loads(opened).items()}


def _key(token: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return base64.urlsafe_b64encode(HKDF(SHA256(), length=32, salt=salt, info=_PURPOSE).derive(token.encode()))
