"""What went wrong with an object store: whether it may pass, and if not, one sentence; never with a secret in it."""

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)

OBJECT_STORE_ERRORS = (BotoCoreError, ClientError, Boto3Error)

ABSENT = {"NoSuchKey", "404"}
_PASSING_CODES = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
}
_PASSING_STATUS = {429, 500, 502, 503, 504}
_PASSING_ERRORS = (ConnectionClosedError, FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
_NO_CONNECTION = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "507"}
_PERMISSION = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"}
_OTHER_REGION = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
    "307",
}
_CREDENTIALS = {
    "InvalidAccessKeyId": "nobody here has this AWS_ACCESS_KEY_ID",
    "InvalidClientTokenId": "nobody here has this AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to AWS_ACCESS_KEY_ID",
    "AuthFailure": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
_NEEDS = {
    "GetObject": "s3:GetObject on the files, and s3:ListBucket on the bucket, without which a missing file looks forbidden",
    "HeadObject": "s3:GetObject on the files, and s3:ListBucket on the bucket, without which a missing file looks forbidden",
    "ListObjectsV2": "s3:ListBucket on the bucket",
    "DeleteObject": "s3:DeleteObject on the files",
    "AbortMultipartUpload": "s3:AbortMultipartUpload on the files",
}
_NEEDS_TO_WRITE = "s3:PutObject on the files"
_AGAIN = "then run the same command again"


def code_of(error: Exception) -> str:
    """Returns the store's own name of a refusal; empty for anything else."""
    return str(error.response.get("Error", {}).get("Code", "unknown")) if isinstance(error, ClientError) else ""


def _status_of(error: Exception) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if isinstance(error, ClientError) else 0


def is_no_connection(error: Exception) -> bool:
    """Tells whether nobody was there to answer."""
    return isinstance(error, _NO_CONNECTION)


def has_expired(error: Exception) -> bool:
    """Tells whether new credentials would help."""
    return code_of(error) in _EXPIRED


def reason_to_retry(error: Exception) -> str | None:
    """Returns in a word why trying again may help, or None if it never does."""
    if isinstance(error, ClientError):
        passes = code_of(error) in _PASSING_CODES or (_status_of(error) in _PASSING_STATUS and code_of(error) not in _FULL)
        return code_of(error) if passes else None
    if isinstance(error, SSLError):
        return None if "CERTIFICATE_VERIFY_FAILED" in str(error) else "SSLError"
    passes = isinstance(error, _PASSING_ERRORS + _NO_CONNECTION) or type(error) is HTTPClientError
    return type(error).__name__.removesuffix("Error") if passes else None


def sentence(where: str, error: Exception, endpoint: str = "", attempts: int = 1) -> str:
    """Says what is wrong, where, and what to do.

    Args:
        where: URI of the file or of the store.
        error: What boto3 raised.
        endpoint: Where the request went.
        attempts: How often it was made.
    """
    if isinstance(error, ClientError):
        return f"{where}: {_refusal(where, error, endpoint, attempts)}"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return (
            f"{where}: no credentials for the object store; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or for a "
            + ("public bucket AWS_NO_SIGN_REQUEST=true")
        )
    if isinstance(error, ProfileNotFound):
        return f"{where}: AWS_PROFILE names a profile that is neither in ~/.aws/config nor in ~/.aws/credentials"
    if isinstance(error, SSLError):
        return f"{where}: the certificate of the object store at {endpoint} is not trusted; AWS_CA_BUNDLE names a file of those that are"
    if reason_to_retry(error):
        tried = f"{attempts} attempts" if attempts > 1 else "one attempt"
        return f"{where}: no answer from the object store at {endpoint} in {tried} ({type(error).__name__}); " + (
            f"check AWS_ENDPOINT_URL and the network, {_AGAIN}"
        )
    return f"{where}: the object store cannot be used ({type(error).__name__})"


def _refusal(where: str, error: ClientError, endpoint: str, attempts: int) -> str:
    code, bucket = code_of(error), where.removeprefix("s3://").partition("/")[0]
    if code == "NoSuchBucket":
        return f"the bucket {bucket} does not exist at {endpoint or 'this endpoint'}; create it or check AWS_ENDPOINT_URL"
    if code in _OTHER_REGION:
        return _other_region(bucket, error)
    if code in _PERMISSION:
        needs = _NEEDS.get(error.operation_name, _NEEDS_TO_WRITE)
        return f"these credentials have no permission for {error.operation_name} ({code}); they need {needs}"
    if reason_to_retry(error):
        return f"the object store refused {error.operation_name} {attempts} times ({code}); wait, {_AGAIN}"
    return _personal_refusal(error, code)


def _personal_refusal(error: ClientError, code: str) -> str:
    """What has to do with who asks, and the rest."""
    if code in _EXPIRED:
        return f"the credentials have expired ({code}); sign in again or renew AWS_SESSION_TOKEN, {_AGAIN}"
    if code in _CREDENTIALS:
        return f"the credentials are wrong or expired ({code}): {_CREDENTIALS[code]}"
    if code == "RequestTimeTooSkewed":
        return f"this machine's clock is more than 15 minutes off ({code}); set it, {_AGAIN}"
    if code in _FULL:
        return f"the object store is full ({code}); make room, {_AGAIN}"
    if code == "NotImplemented" and error.operation_name == "PutObject":
        return f"the object store does not know conditional writes ({code}), which the ledger needs; it must support If-None-Match"
    return f"the object store refused {error.operation_name} ({code})"


def _other_region(bucket: str, error: ClientError) -> str:
    details = error.response.get("Error", {})
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = str(details.get("Region") or headers.get("x-amz-bucket-region") or "")
    if region:
        return f"the bucket {bucket} is in the region {region}; set AWS_REGION={region}, or write ?region={region} behind the URI"
    return f"the bucket {bucket} is in another region ({code_of(error)}); set AWS_REGION to the bucket's"
