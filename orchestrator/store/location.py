"""What an `s3://` URI may say: bucket, prefix, and the two options that pyarrow knows too."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from orchestrator.store.base import StoreError, clean_path

_OPTIONS = ("endpoint_override", "region", "scheme")
_BUCKET = re.compile(r"[a-zA-Z0-9._-]{3,255}")
_FORM = "s3://bucket/prefix"


@dataclass(frozen=True)
class S3Location:
    """A prefix of a bucket, and how to get there where the environment does not say.

    Attributes:
        bucket: Name of the bucket.
        prefix: Path in the bucket, without slashes at its ends; may be empty.
        endpoint: `https://host:port` of another object store than the environment's.
        region: The bucket's region.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None

    @classmethod
    def parse(cls, uri: str) -> "S3Location":
        """Reads `s3://bucket/prefix?region=...&endpoint_override=host:port&scheme=http`.

        Raises:
            StoreError: A part is missing, unknown, or secret; the sentence repeats no value.
        """
        path, _, query = uri.removeprefix("s3://").partition("?")
        bucket, _, prefix = path.partition("/")
        if "@" in bucket or ":" in bucket:
            raise StoreError(f"s3://...: a URI holds no credentials, since it is written down in many places; write {_FORM} and set AWS_*")
        if not bucket:
            raise StoreError(f"s3://: a bucket is missing; write {_FORM}")
        if not _BUCKET.fullmatch(bucket):
            raise StoreError(f"s3://{bucket}: a bucket's name has 3 to 255 letters, digits, dots, dashes or underscores")
        options = _options(f"s3://{path}", query)
        return cls(bucket, clean_path(prefix), _endpoint(f"s3://{path}", options), options.get("region") or None)

    @property
    def path(self) -> str:
        """Bucket and prefix."""
        return f"{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def uri(self) -> str:
        """The URI, with its options behind it."""
        scheme, _, host = (self.endpoint or "").partition("://")
        options = {"endpoint_override": host, "region": self.region, "scheme": scheme}
        query = urlencode({name: value for name, value in options.items() if value}, safe=":/")
        return f"s3://{self.path}" + (f"?{query}" if query else "")

    def key(self, path: str) -> str:
        """Returns the key of a file below the prefix."""
        return "/".join(part for part in (self.prefix, clean_path(path)) if part)

    def child(self, path: str) -> "S3Location":
        """Returns the location of the folder `path`."""
        return S3Location(self.bucket, self.key(path), self.endpoint, self.region)


def _options(where: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if set(options) - set(_OPTIONS):
        # Not even the name is repeated: what is unknown here may be a secret.
        raise StoreError(f"{where}: an unknown option behind the question mark; allowed: {', '.join(_OPTIONS)}")
    return options


def _endpoint(where: str, options: dict[str, str]) -> str | None:
    scheme, separator, host = options.get("endpoint_override", "").rpartition("://")
    scheme = scheme if separator else options.get("scheme", "https")
    if not host:
        return None
    if scheme not in ("http", "https") or "@" in host or "/" in host.rstrip("/"):
        raise StoreError(f"{where}: endpoint_override is host:port, without a user, and scheme is http or https")
    return f"{scheme}://{host.rstrip('/')}"
