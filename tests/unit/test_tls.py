"""Certificates are verified alike on every Python; real handshakes are in the links' tests."""

import ssl

from console.links.http.source import tls_context
from console.links.tls import as_clients_do


def test_a_private_authority_without_key_identifiers_is_no_trouble() -> None:
    strict = ssl.create_default_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    relaxed = as_clients_do(strict)
    assert not relaxed.verify_flags & ssl.VERIFY_X509_STRICT
    assert relaxed.verify_mode is ssl.CERT_REQUIRED and relaxed.check_hostname


def test_the_links_verify_so() -> None:
    assert not tls_context(None, "x").verify_flags & ssl.VERIFY_X509_STRICT
