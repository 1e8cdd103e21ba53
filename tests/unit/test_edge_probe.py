"""Probes of one edge: health, redirect and the certificate as served, good or not."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console.clock import Deadline, SystemClock
from console.config.environment import EdgeConfig
from console.errors import FailureKind, LinkError
from console.links.edge.certificate import parsed, verified
from console.links.edge.probe import EdgeProbe
from console.links.protocols import TcpAddress

TODAY = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates for the tests' edges."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.sign("Test CA", [], 30, self.key)
        self.file = directory / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str, names: list[str], days: int, key: Any, own: bool = False) -> Any:
        """A certificate that ends in `days`; signed by itself for the authority, or if `own`."""
        root = not names
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if root or own else self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(TODAY - 90 * DAY)
            .not_valid_after(TODAY + days * DAY)
            .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
            )
        return builder.sign(key if root or own else self.key, hashes.SHA256())

    def context(self, names: list[str], days: int, own: bool = False) -> ssl.SSLContext:
        """What a server with such a certificate uses."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = self.sign("api \x1b[31mexample", names, days, key, own)
        file = self.directory / f"{names[0]}-{days}-{own}.pem"
        file.write_bytes(
            found.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def probe(server: Any, ca: Path | None, seconds: float = 10.0, **config: Any) -> Any:
    config = {
        "url": "https://api.example.com",
        "connect": f"127.0.0.1:{server.port}",
        "http_connect": "none",
        "ca": ca,
        **config,
    }
    link = EdgeProbe(EdgeConfig("nginx-1", **config), None, SystemClock())
    return link.read(Deadline.after(SystemClock(), seconds)), link


def healthy(faults: Any, status: str = "200 OK", more: str = "") -> Any:
    return lambda exchange: exchange.send(faults.response(b'{"ok":true}', status, more=more))


def test_a_good_edge_is_asked_by_its_users_name_at_its_own_address(
    authority: Authority, serve: Any, faults: Any
) -> None:
    context = authority.context(["api.example.com"], 61)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)  # type: ignore[assignment, func-returns-value]
    server = serve(healthy(faults), context)
    report, link = probe(server, authority.file)
    assert report.health.ok and report.health.status == 200 and report.health.took > 0
    assert server.heads[0].startswith(b"GET /health HTTP/1.1\r\n")
    assert b"Host: api.example.com\r\n" in server.heads[0] and asked == ["api.example.com"]
    certificate = report.certificate
    assert certificate.subject == "api example" and certificate.issuer == "Test CA"
    assert certificate.names == ("api.example.com",) and certificate.problem == ""
    assert certificate.not_after == (TODAY + 61 * DAY).timestamp()
    assert (report.name, report.url, report.vantage) == (
        "nginx-1",
        "https://api.example.com",
        "here",
    )
    assert report.redirect is None and link.name == "edge:nginx-1" and link.skew() is None


REFUSED = [
    ("api.example.com", -3, False, "expired"),
    ("other.example.com", 61, False, "made for another name"),
    ("api.example.com", 61, True, "self-signed"),
]


@pytest.mark.parametrize(("name", "days", "own", "words"), REFUSED, ids=[r[3] for r in REFUSED])
def test_a_certificate_that_is_refused_is_read_all_the_same(
    name: str, days: int, own: bool, words: str, authority: Authority, serve: Any, faults: Any
) -> None:
    server = serve(healthy(faults), authority.context([name], days, own))
    report, _ = probe(server, authority.file)
    assert report.health.ok, "what stands behind it answers all the same"
    assert report.certificate.problem == words and report.certificate.names == (name,)
    assert report.certificate.not_after == (TODAY + days * DAY).timestamp()


def test_an_unknown_authority(authority: Authority, serve: Any, faults: Any) -> None:
    server = serve(healthy(faults), authority.context(["api.example.com"], 61))
    report, _ = probe(server, None)
    assert "authority that is not trusted" in report.certificate.problem


@pytest.mark.parametrize("status", ["503 Service Unavailable", "302 Found"])
def test_a_status_is_reported_and_no_redirect_followed(
    status: str, authority: Authority, serve: Any, faults: Any
) -> None:
    more = "Location: https://login\x1b[2J.example.com/\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
    server = serve(
        healthy(faults, status, more.replace("\x1b", "")), authority.context(["api.example.com"], 9)
    )
    report, link = probe(server, authority.file)
    assert report.health.status == int(status[:3]) and not report.health.ok
    assert report.health.failure is None and len(server.requests) == 1
    assert report.health.location == "https://login[2J.example.com/"
    assert link.skew() < -1e6


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("silent", FailureKind.TIMEOUT),
        ("drip", FailureKind.TIMEOUT),
        ("hang_up", FailureKind.UNREACHABLE),
        ("half_a_body", FailureKind.INVALID),
        ("huge", FailureKind.INVALID),
    ],
)
def test_a_backend_that_fails_leaves_the_certificate_in_sight(
    fault: str, kind: FailureKind, authority: Authority, serve: Any, faults: Any
) -> None:
    server = serve(getattr(faults, fault), authority.context(["api.example.com"], 61))
    report, _ = probe(server, authority.file, 0.6 if kind is FailureKind.TIMEOUT else 10.0)
    assert report.health.failure.kind is kind and report.health.status is None
    assert report.certificate.problem == ""


def test_plain_http_is_probed_beside_it(authority: Authority, serve: Any, faults: Any) -> None:
    secure = serve(healthy(faults), authority.context(["api.example.com"], 61))
    location = "Location: https://api.example.com/\r\n"
    plain = serve(healthy(faults, "301 Moved Permanently", location))
    report, _ = probe(secure, authority.file, http_connect=f"127.0.0.1:{plain.port}")
    redirect = report.redirect
    assert (redirect.status, redirect.location) == (301, "https://api.example.com/")
    assert redirect.url == "http://api.example.com/"
    assert plain.heads[0].startswith(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n")
    report, _ = probe(secure, authority.file, http_connect="127.0.0.1:1")
    assert report.health.ok and "connection refused" in report.redirect.failure.why


def test_an_edge_without_tls_has_no_certificate_and_no_redirect(serve: Any, faults: Any) -> None:
    server = serve(healthy(faults))
    report, _ = probe(server, None, url="http://api.example.com/", http_connect="")
    assert report.health.ok and report.certificate is None and report.redirect is None
    report, _ = probe(server, None, http_connect="none")
    assert "does not speak TLS" in report.health.failure.why and report.certificate is None


def test_what_is_wrong_in_the_configuration_is_said(
    tmp_path: Path, serve: Any, faults: Any
) -> None:
    server = serve(healthy(faults))
    for connect in ("api", "api:", ":1", "api:99999", "api:x"):
        with pytest.raises(LinkError, match="is not HOST:PORT"):
            probe(server, None, connect=connect)
    with pytest.raises(LinkError, match="its URL is not"):
        probe(server, None, url="api.example.com")
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(LinkError, match="cannot be read as PEM"):
        probe(server, tmp_path / "ca.pem")


class Host:
    """A host that reaches, or that cannot be reached."""

    local = False

    def __init__(self, there: bool, edge_there: bool = True) -> None:
        self.there = there
        self.edge_there = edge_there
        self.asked: list[TcpAddress] = []

    def reach(self, address: Any, deadline: Deadline) -> Any:
        self.asked.append(address)
        if not self.there:
            raise LinkError(FailureKind.UNREACHABLE, "host prod-1", "gone", "look")
        if not self.edge_there:
            raise LinkError(FailureKind.UNREACHABLE, "host prod-1", "refused there", "look")
        return address

    def run(self, argv: Any, deadline: Deadline) -> None:
        if not self.there:
            raise LinkError(FailureKind.UNREACHABLE, "host prod-1", "gone", "look")


def test_through_a_host(authority: Authority, serve: Any, faults: Any) -> None:
    server = serve(healthy(faults), authority.context(["api.example.com"], 61))
    connect = f"127.0.0.1:{server.port}"
    config = EdgeConfig(
        "a", "https://api.example.com", connect, "none", "prod-1", ca=authority.file
    )
    host: Any = Host(True)
    report = EdgeProbe(config, host, SystemClock()).read(Deadline.after(SystemClock(), 10))
    assert report.health.ok and report.vantage == "prod-1"
    assert host.asked == [TcpAddress("127.0.0.1", server.port)]
    gone: Any = Host(False)
    with pytest.raises(LinkError, match="host prod-1: gone"):
        EdgeProbe(config, gone, SystemClock()).read(Deadline.after(SystemClock(), 10))
    edgeless: Any = Host(True, edge_there=False)
    report = EdgeProbe(config, edgeless, SystemClock()).read(Deadline.after(SystemClock(), 10))
    assert report.health.failure is not None
    assert report.health.failure.why == "refused there"
    assert report.health.failure.subject == "edge a https://api.example.com"


def test_an_edge_that_never_answers_is_reported_in_time(
    authority: Authority, serve: Any, faults: Any
) -> None:
    server = serve(faults.silent, authority.context(["api.example.com"], 61, True))
    clock = SystemClock()
    deadline = Deadline.after(clock, 1.0)
    config = {"url": "https://api.example.com", "connect": f"127.0.0.1:{server.port}"}
    edge = EdgeConfig("a", **config, http_connect="none", ca=authority.file)  # type: ignore[arg-type]
    report = EdgeProbe(edge, None, clock).read(deadline)
    assert not deadline.passed, "whoever asked has not given up yet"
    assert report.health.failure is not None
    assert report.health.failure.kind is FailureKind.TIMEOUT
    assert report.certificate is not None and report.certificate.problem == "self-signed"
    through = EdgeConfig("a", **config, http_connect="none", through="prod-1")  # type: ignore[arg-type]
    host: Any = Host(True)
    assert EdgeProbe(through, host, clock).read(Deadline.after(clock, 1.0)).health.failure
    lost: Any = Host(False)
    lost.reach = lambda address, deadline: address
    with pytest.raises(LinkError, match="host prod-1: gone"):
        EdgeProbe(through, lost, clock).read(Deadline.after(clock, 1.0))


def test_certificates_that_say_little_or_nothing() -> None:
    assert parsed(b"no certificate", "self-signed") is None
    assert verified({}) is None
    assert verified({"notBefore": "soon", "notAfter": "late"}) is None
    key = ec.generate_private_key(ec.SECP256R1())
    organisation = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme\u202e")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(organisation)
        .issuer_name(organisation)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(TODAY)
        .not_valid_after(TODAY + DAY)
    )
    bare = parsed(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER), "self-signed"
    )
    assert bare is not None and bare.subject == "O=Acme" and bare.names == ()
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("10.0.0.1"))])
    named = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    found = parsed(named.public_bytes(serialization.Encoding.DER), "")
    assert found is not None and found.names == ("10.0.0.1",)
