"""A certificate as served, also one that no client would accept."""

import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from console.links.http.deadline import Lease, dial
from console.links.protocols import TcpAddress, UnixAddress
from console.model.edges import Certificate
from console.text import clean

_MOST_NAMES = 100


def verified(facts: Mapping[str, Any]) -> Certificate | None:
    """The certificate that a handshake accepted, from ``ssl.SSLSocket.getpeercert``."""
    try:
        return Certificate(
            subject=_common_name(facts.get("subject", ())),
            issuer=_common_name(facts.get("issuer", ())),
            names=_names(name for _, name in facts.get("subjectAltName", ())),
            not_before=float(ssl.cert_time_to_seconds(facts["notBefore"])),
            not_after=float(ssl.cert_time_to_seconds(facts["notAfter"])),
        )
    except (KeyError, ValueError):
        return None


def refused(
    target: TcpAddress | UnixAddress, server_name: str, lease: Lease, problem: str
) -> Certificate | None:
    """The certificate that a handshake refused for `problem`, read by one that trusts all.

    None where that handshake fails as well, or what is served cannot be parsed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to read what is refused; nothing is sent over it
    try:
        with (
            dial(target, lease) as sock,
            context.wrap_socket(sock, server_hostname=server_name) as tls,
        ):
            der = tls.getpeercert(True)
    except OSError:
        return None
    return parsed(der, problem) if der else None


def parsed(der: bytes, problem: str) -> Certificate | None:
    """A certificate in DER, refused for `problem`; None if it is none."""
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(der)
        subject, issuer = _rfc4514(found.subject), _rfc4514(found.issuer)
        not_before, not_after = found.not_valid_before_utc, found.not_valid_after_utc
        try:
            extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = [str(name.value) for name in extension.value]
        except x509.ExtensionNotFound:
            names = []
    except ValueError:
        return None
    return Certificate(
        subject,
        issuer,
        _names(names),
        not_before.timestamp(),
        not_after.timestamp(),
        problem,
    )


def _rfc4514(name: Any) -> str:
    from cryptography.x509.oid import NameOID

    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return clean(common[0].value if common else name.rfc4514_string(), 200)


def _common_name(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    pairs = [pair for part in name for pair in part]
    common = [value for key, value in pairs if key == "commonName"]
    return clean(common[0] if common else ",".join(value for _, value in pairs), 200)


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(clean(name, 253) for name in list(found)[:_MOST_NAMES])
