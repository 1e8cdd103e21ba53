"""EngineLink to an engine over TCP with TLS and client certificates."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console.clock import Deadline, SystemClock
from console.config.environment import EngineConfig
from console.errors import FailureKind, LinkError
from console.links.engine.link import EngineLink

CLOCK = SystemClock()
ANSWERS: dict[str, Any] = {
    "version": {"ApiVersion": "1.45", "MinAPIVersion": "1.24"},
    "info": {"ID": "x", "Name": "prod-1", "SystemTime": "2026-11-22T17:12:25.1Z"},
    "json": [],
}


@dataclass
class Authority:
    """A certificate authority of the test's own."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(self.folder)[-60:])])
        self.certificate = self._signed(self.name, self.key, authority=True)
        self.path = self.folder / "ca.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Paths of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, authority=False)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the last part of the path; `/info` waits where the server says so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.split("?")[0].rpartition("/")[2]
        if name == "info":
            self.server.asked.set()  # type: ignore[attr-defined]
            self.server.go_on.wait(10)  # type: ignore[attr-defined]
        body = json.dumps(ANSWERS[name]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


class Server(http.server.ThreadingHTTPServer):
    """A TLS engine; refused handshakes are its clients' own affair."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def handle_error(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server"))
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    made = Server(context)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.go_on.set()
    made.shutdown()
    made.server_close()
    thread.join()


def opened(server: Server, ca: Path | None, pair: tuple[Path, Path] | None) -> EngineLink:
    address = f"tcp://127.0.0.1:{server.server_address[1]}"
    certificate, key = pair or (None, None)
    return EngineLink(EngineConfig(address, "", ca, certificate, key), environ={})


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def test_a_read_over_tls(server: Server, authority: Authority) -> None:
    link = opened(server, authority.path, authority.issue("ana"))
    assert link.read(soon()).engine_name == "prod-1"
    link.close()


def test_cancel_cuts_a_tls_connection(server: Server, authority: Authority) -> None:
    link = opened(server, authority.path, authority.issue("ana"))
    server.go_on.clear()
    found: list[LinkError] = []

    def read() -> None:
        try:
            link.read(soon(60))
        except LinkError as error:
            found.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert server.asked.wait(10)
    link.cancel()
    thread.join(10)
    assert [error.failure.kind for error in found] == [FailureKind.UNREACHABLE]
    server.go_on.set()
    assert link.read(soon()).engine_name == "prod-1"
    link.close()


def test_an_engine_of_another_authority_is_refused(
    server: Server, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    link = opened(server, other.path, authority.issue("ana"))
    with pytest.raises(LinkError, match="certificate is refused") as caught:
        link.read(soon())
    assert "tls_ca" in caught.value.failure.remedy
    link.close()


def test_without_a_certificate_of_ours(server: Server, authority: Authority) -> None:
    link = opened(server, authority.path, None)
    with pytest.raises(LinkError) as caught:
        link.read(soon())
    assert "tls_c" in caught.value.failure.remedy
    link.close()


def test_files_that_are_not_there(server: Server, authority: Authority, tmp_path: Path) -> None:
    link = opened(server, authority.path, (tmp_path / "cert.pem", tmp_path / "key.pem"))
    with pytest.raises(LinkError) as caught:
        link.read(soon())
    assert caught.value.failure.kind is FailureKind.INVALID
    assert "tls_cert" in caught.value.failure.remedy
    link.close()
