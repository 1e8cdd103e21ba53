"""Why S3 gives nothing, in words; each of boto3's errors that an operator can meet.

Codes are those of the S3 API reference, "List of error codes". Imported late: it loads
botocore.
"""

from typing import Final

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from console.errors import FailureKind
from console.text import clean

Words = tuple[str, str, str]
"""Kind of failure, why, remedy."""

_CREDENTIALS: Final = "correct access_key and secret_key, or the profile, of [backups]"


def explain(error: Exception, bucket: str) -> Words:
    """The words for what boto3 raised while listing `bucket`."""
    if isinstance(error, boto.ClientError):
        return _by_code(error, bucket)
    for types, words in _BY_TYPE:
        if isinstance(error, types):
            return words
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectionError):
        return (FailureKind.UNREACHABLE, f"cannot be reached ({_cause(error)})", _ENDPOINT)
    if isinstance(error, boto.BotoCoreError | ValueError):
        return (FailureKind.INVALID, clean(error, 200), "correct [backups] in cofa.toml")
    return (
        FailureKind.INVALID,
        f"boto3 failed: {type(error).__name__}",
        "run cofa doctor; if it stays, report it",
    )


def _by_code(error: boto.ClientError, bucket: str) -> Words:
    detail = error.response.get("Error", {})
    code = clean(detail.get("Code", ""), 60)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in ("AccessDenied", "403", "AllAccessDisabled", "AccountProblem"):
        return (
            FailureKind.DENIED,
            "refuses to list it (AccessDenied)",
            f"grant these credentials s3:ListBucket on arn:aws:s3:::{clean(bucket, 80)}",
        )
    if code in ("NoSuchBucket", "NotFound"):
        return (FailureKind.MISSING, "there is no such bucket", "correct bucket or endpoint")
    if code == "404":  # without S3's own words
        return (
            FailureKind.MISSING,
            "there is no such bucket, or what answers is no S3",
            "correct bucket or endpoint",
        )
    if code in (
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "TokenRefreshRequired",
    ):
        return (FailureKind.DENIED, f"refuses the credentials ({code})", _CREDENTIALS)
    if code in ("ExpiredToken", "RequestExpired"):
        return (FailureKind.DENIED, "the credentials have expired", "renew them")
    if code == "RequestTimeTooSkewed":
        return (
            FailureKind.DENIED,
            "this machine's clock is more than 15 min off (RequestTimeTooSkewed)",
            "set this machine's clock (timedatectl; an NTP service)",
        )
    if code == "500":  # botocore says so, too, of a 200 that it cannot parse
        return (
            FailureKind.INVALID,
            "answers 500, or what is no whole S3 listing",
            "see its log; check that endpoint is S3's",
        )
    if code in _REGION:
        expected = clean(detail.get("Region", "") or _region_header(error), 40)
        return (
            FailureKind.INVALID,
            f"the bucket is in another region ({expected or code})",
            f"set region of [backups] to {expected or 'that of the bucket'}",
        )
    if code in _BUSY or status in (429, 503):
        return (FailureKind.UNREACHABLE, f"is throttling ({code})", "read less often, or later")
    return (
        FailureKind.INVALID,
        f"answers {code or status}: {clean(detail.get('Message', ''), 200)}",
        "check endpoint and bucket of [backups]",
    )


def _region_header(error: boto.ClientError) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", ""))


def _cause(error: Exception) -> str:
    """What urllib3 said, in a few words."""
    text = str(getattr(error, "kwargs", {}).get("error", "") or error)
    for part, words in (
        ("Connection refused", "connection refused"),
        ("Name or service not known", "its name does not resolve"),
        ("Temporary failure in name resolution", "its name does not resolve"),
        ("No address associated", "its name does not resolve"),
        ("reset by peer", "reset the connection"),
        ("No route to host", "no route to it"),
    ):
        if part in text:
            return words
    return "no connection"


_ENDPOINT: Final = "check endpoint of [backups], and that it answers from this machine"

_REGION: Final = (
    "PermanentRedirect",
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "TemporaryRedirect",
)
_BUSY: Final = ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "503")

_BROKEN: Final = (
    FailureKind.INVALID,
    "broke off in the middle of its answer",
    "see its log; a proxy in front of it may have a time-out",
)
_BY_TYPE: Final[tuple[tuple[tuple[type[Exception], ...], Words], ...]] = (
    (
        (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
        (
            FailureKind.DENIED,
            "no credentials are found",
            "set access_key and secret_key of [backups], or a profile, or AWS_ACCESS_KEY_ID",
        ),
    ),
    (
        (boto.ProfileNotFound,),
        (FailureKind.MISSING, "there is no such profile", "correct profile of [backups]"),
    ),
    (
        (boto.SSLError,),
        (
            FailureKind.INVALID,
            "its certificate is refused, or it speaks no TLS",
            "set ca of [backups] to the authority that signed it, or correct endpoint",
        ),
    ),
    (
        (boto.ConnectTimeoutError, boto.ReadTimeoutError),
        (FailureKind.TIMEOUT, "no answer in time", _ENDPOINT),
    ),
    (
        (boto.IncompleteReadError, boto.ResponseStreamingError, boto.ConnectionClosedError),
        _BROKEN,
    ),
    (
        # Of HTML and of half a document alike.
        (ResponseParserError,),
        (
            FailureKind.INVALID,
            "answers what is no S3 listing",
            "check endpoint of [backups]: another server, or a login page, answers there",
        ),
    ),
)
