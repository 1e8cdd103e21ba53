"""What an HTTP answer says, or why it says nothing: pure functions."""

import email.utils
import errno
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from console.errors import FailureKind, LinkError
from console.text import clean

BODY_LIMIT: Final = 16 << 20
"""Bytes of one answer, unpacked; more is refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer, its body unpacked."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    asked_at: float
    """Wall time when it was asked, and when its head was there: for the clock's skew."""
    answered_at: float
    took: float
    """Seconds from dialling to the last byte."""


def shown_url(url: str) -> str:
    """`url` without credentials, cleaned, for messages."""
    try:
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        bare = url
    return clean(bare, 200)


def skew_of(stamp: float, asked_at: float, answered_at: float, resolution: float = 0.0) -> float:
    """How far a clock that said `stamp` is ahead of ours, at least; 0 where none is proven.

    The stamp was made between asking and the answer, and cut to `resolution` seconds: the
    true skew lies between ``stamp - answered_at`` and ``stamp + resolution - asked_at``.
    """
    least, most = stamp - answered_at, stamp + resolution - asked_at
    if least > 0:
        return least
    return most if most < 0 else 0.0


def skew_by_date(answer: Answer) -> float | None:
    """The skew by the Date header (whole seconds); None without one, or from a cache."""
    date = answer.headers.get("date")
    if date is None or "age" in answer.headers:
        return None
    try:
        stamp = email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    return skew_of(stamp, answer.asked_at, answer.answered_at, 1.0)


def unpack(body: bytes, encoding: str, subject: str, limit: int = BODY_LIMIT) -> bytes:
    """`body` without its Content-Encoding, at most `limit` bytes. Raises LinkError."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate", "x-gzip"):
        raise LinkError(
            FailureKind.INVALID,
            subject,
            f"packed its answer as {clean(encoding, 40)}, which was not asked for",
            "look at the proxy in front of it",
        )
    try:
        unpacker = zlib.decompressobj(47)  # zlib or gzip by its header
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise LinkError(
            FailureKind.INVALID, subject, "answered broken gzip", "look at the proxy in front of it"
        ) from None
    if len(plain) > limit:
        raise too_large(subject, limit)
    if not unpacker.eof:
        raise broken_off(subject)
    return plain


def too_large(subject: str, limit: int) -> LinkError:
    """The answer exceeds `limit` bytes."""
    return LinkError(
        FailureKind.INVALID,
        subject,
        f"answered more than {limit >> 20} MiB" if limit >> 20 else f"answered over {limit} bytes",
        "check that the URL is what it should be; narrow the query if it is",
    )


def broken_off(subject: str) -> LinkError:
    """The answer ended before its end."""
    return LinkError(
        FailureKind.INVALID,
        subject,
        "broke off in the middle of its answer",
        "see its log; a proxy in front of it may have a time-out or a size limit",
    )


def refuse_status(answer: Answer, subject: str) -> None:
    """Raise LinkError unless the answer is 200."""
    status = answer.status
    if status == 200:
        return
    if 300 <= status < 400:
        where = shown_url(answer.headers.get("location", ""))
        raise LinkError(
            FailureKind.INVALID,
            subject,
            f"redirects ({status}) to {where or 'nowhere'}",
            "set the URL to where it really answers; a login page in front needs credentials",
        )
    if status in (401, 407):
        kind, why = FailureKind.DENIED, f"asks for credentials, or refuses those given ({status})"
        remedy = "set username and password, or bearer, or correct them"
    elif status == 403:
        kind, why = FailureKind.DENIED, "refuses (403)"
        remedy = "its proxy must let this user or address read its API"
    elif status in (404, 405, 410):
        kind, why = FailureKind.MISSING, f"has no such page ({status})"
        remedy = "check the URL: host, port and path prefix"
    elif status in (429, 502, 503, 504):
        kind, why = FailureKind.UNREACHABLE, f"answers {status}: overloaded, starting or away"
        remedy = "see whether it runs and what its log says"
    else:
        kind, why = FailureKind.INVALID, f"answers {status}"
        remedy = "check the URL, and what its log says"
    raise LinkError(kind, subject, why, remedy)


def refuse_no_json(answer: Answer, subject: str) -> None:
    """Raise LinkError unless the body looks like a JSON object or list."""
    head = answer.body[:512].lstrip()
    if head[:1] in (b"{", b"["):
        return
    if not head:
        why = "gave an empty answer"
    elif head[:1] == b"<":
        why = "answered HTML, not JSON"
    else:
        why = f"answered {len(answer.body)} bytes that are no JSON"
    raise LinkError(
        FailureKind.INVALID,
        subject,
        why,
        "check the URL: another server, or a login page, answers there",
    )


def no_json(subject: str, why: str) -> LinkError:
    """The body cannot be read as the JSON that was expected; `why` in words."""
    return LinkError(
        FailureKind.INVALID,
        subject,
        f"answered JSON that cannot be used ({clean(why, 200)})",
        "check the URL and the server's version",
    )


def explain(error: Exception, subject: str, waited: float, received: int) -> LinkError:
    """The LinkError for what a socket or HTTP client raised after `received` bytes."""
    cause = _root(error)
    if isinstance(cause, socket.gaierror):
        return LinkError(
            FailureKind.UNREACHABLE,
            subject,
            "its name does not resolve",
            "check the name, and the resolver of where it is asked from",
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return LinkError(
            FailureKind.INVALID,
            subject,
            f"its certificate is refused: {certificate_words(cause)}",
            "renew it, or name the authority that signed it (ca)",
        )
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return _explain_tls(cause, subject)
    if isinstance(cause, TimeoutError):
        return timed_out(subject, waited, received)
    if isinstance(cause, OSError) and cause.errno in _OS_WORDS:
        why, remedy = _OS_WORDS[cause.errno]
        return LinkError(FailureKind.UNREACHABLE, subject, why, remedy)
    return _explain_protocol(error, subject, received)


def timed_out(subject: str, waited: float, received: int) -> LinkError:
    """The deadline passed, after `waited` seconds (0: not known), `received` bytes came."""
    sofar = f"only {received} bytes of an answer" if received else "no answer"
    return LinkError(
        FailureKind.TIMEOUT,
        subject,
        f"{sofar} in {waited:.1f} s" if waited else f"{sofar} in time",
        "see whether it hangs (its log, its load) or the way to it is slow",
    )


def cancelled(subject: str) -> LinkError:
    """The read was given up on this side."""
    return LinkError(FailureKind.TIMEOUT, subject, "the read was given up", "it will be read again")


def refused_certificate(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The refusal of a certificate that `error` comes from, if it comes from one."""
    cause = _root(error)
    return cause if isinstance(cause, ssl.SSLCertVerificationError) else None


def certificate_words(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was refused, in words (codes of X509_V_ERR in OpenSSL)."""
    return _CERTIFICATE_WORDS.get(error.verify_code, clean(error.verify_message or error, 200))


def _explain_tls(error: ssl.SSLError, subject: str) -> LinkError:
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"):
        why, remedy = "does not speak TLS on this port", "write http:// instead of https://"
    elif error.reason in ("UNEXPECTED_EOF_WHILE_READING", "UNEXPECTED_EOF"):
        why, remedy = "closed the connection within TLS", "see its log"
    else:
        why = f"TLS failed: {clean(error.reason or error, 100).lower().replace('_', ' ')}"
        remedy = "compare its TLS versions and names with the URL (TLS 1.2 or later is needed)"
    return LinkError(FailureKind.INVALID, subject, why, remedy)


def _explain_protocol(error: Exception, subject: str, received: int) -> LinkError:
    if not received and "without sending a response" in str(error):
        return LinkError(
            FailureKind.UNREACHABLE,
            subject,
            "closed the connection without an answer",
            "see whether it runs and listens there; behind a tunnel this is a refused port",
        )
    if received:
        why = f"answered {received} bytes that are no HTTP"
    else:
        why = f"does not speak HTTP ({clean(error, 100) or type(error).__name__})"
    return LinkError(
        FailureKind.INVALID,
        subject,
        why,
        "check host and port: another service may listen there, or it wants https://",
    )


def _root(error: BaseException) -> BaseException:
    """The innermost error that says more than its wrapper."""
    for _ in range(8):
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, OSError):
            break
        error = inner
    return error


_OS_WORDS: Final[dict[int | None, tuple[str, str]]] = {
    errno.ECONNREFUSED: (
        "connection refused",
        "see whether it runs and listens on that address",
    ),
    errno.ECONNRESET: ("reset the connection", "see its log; a firewall may be between"),
    errno.EPIPE: ("closed the connection", "see its log"),
    errno.ENOTCONN: ("closed the connection", "see its log"),
    errno.EHOSTUNREACH: ("no route to it", "check the address and the network"),
    errno.ENETUNREACH: ("no network to it", "check the address and the network"),
    errno.ENOENT: ("its socket is not there", "see whether the tunnel to its host is up"),
    errno.EACCES: ("no rights to its socket", "run as a user who may open it"),
}

_CERTIFICATE_WORDS: Final = {
    9: "not valid yet",
    10: "expired",
    18: "self-signed",
    19: "signed by an authority that is not trusted",
    20: "signed by an authority that is not trusted",
    21: "signed by an authority that is not trusted, or its chain is not sent",
    23: "revoked",
    62: "made for another name",
    64: "made for another address",
}
