"""The HTTP links against a server that misbehaves: each fault has its own words."""

import json
import threading
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import HttpConfig, SecretRef
from console.errors import CofaError, FailureKind, LinkError
from console.links.alertmanager.link import AlertmanagerLink
from console.links.http.source import HttpSource
from console.links.prometheus.alerts import PrometheusAlerts
from console.links.prometheus.link import PrometheusLink
from console.links.protocols import TcpAddress, UnixAddress
from console.secret import Secret

LINKS = (PrometheusLink, PrometheusAlerts, AlertmanagerLink)

FAULTS = [
    ("html", FailureKind.INVALID, "answered HTML, not JSON"),
    ("unauthorized", FailureKind.DENIED, "credentials"),
    ("forbidden", FailureKind.DENIED, "403"),
    ("half_a_body", FailureKind.INVALID, "broke off"),
    ("half_without_length", FailureKind.INVALID, "JSON that cannot be used"),
    ("drip", FailureKind.TIMEOUT, "only"),
    ("silent", FailureKind.TIMEOUT, "no answer in"),
    ("reset", FailureKind.UNREACHABLE, "reset"),
    ("hang_up", FailureKind.UNREACHABLE, "without an answer"),
    ("huge", FailureKind.INVALID, "more than 16 MiB"),
    ("redirect_to_itself", FailureKind.INVALID, "redirects (302)"),
    ("empty", FailureKind.INVALID, "empty answer"),
    ("not_http", FailureKind.INVALID, "that are no HTTP"),
    ("deep", FailureKind.INVALID, "JSON that cannot be used"),
]


def no_secret(_: SecretRef) -> Secret:
    raise AssertionError("no secret was configured")


def link(kind: Any, url: str, resolve: Any = no_secret, **config: Any) -> Any:
    return kind(HttpConfig(url, **config), None, SystemClock(), resolve)


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize(("fault", "failure", "words"), FAULTS, ids=[row[0] for row in FAULTS])
def test_each_fault_is_one_clear_error(
    kind: Any, fault: str, failure: FailureKind, words: str, serve: Any, faults: Any
) -> None:
    server = serve(getattr(faults, fault))
    seconds = 0.4 if failure is FailureKind.TIMEOUT else 5.0
    with pytest.raises(LinkError) as caught:
        link(kind, server.url).read(soon(seconds))
    assert caught.value.failure.kind is failure
    assert words in caught.value.failure.why
    assert server.url in caught.value.failure.subject
    assert caught.value.failure.remedy


@pytest.mark.parametrize("kind", LINKS)
def test_a_redirect_is_not_followed(kind: Any, serve: Any, faults: Any) -> None:
    server = serve(faults.redirect_to_itself)
    with pytest.raises(LinkError):
        link(kind, server.url).read(soon())
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", LINKS)
def test_the_wrong_content_type_alone_is_no_fault(kind: Any, serve: Any, faults: Any) -> None:
    body = b"[]" if kind is AlertmanagerLink else _prometheus_body(kind)
    server = serve(faults.always(body, kind="text/plain"))
    link(kind, server.url).read(soon())


def _prometheus_body(kind: Any) -> bytes:
    if kind is PrometheusAlerts:
        return b'{"status":"success","data":{"groups":[]}}'
    now = {"metric": {"cofa": "now"}, "value": [1, "1700000000"]}
    return json.dumps({"status": "success", "data": {"result": [now]}}).encode()


@pytest.mark.parametrize("kind", LINKS)
def test_cancel_ends_a_read_and_the_next_one_works(kind: Any, serve: Any, faults: Any) -> None:
    server = serve(faults.silent)
    reader = link(kind, server.url)
    raised: list[LinkError] = []

    def read() -> None:
        with pytest.raises(LinkError) as caught:
            reader.read(soon(60))
        raised.append(caught.value)

    thread = threading.Thread(target=read)
    thread.start()
    assert faults.wait_until(lambda: server.requests)
    reader.cancel()
    thread.join(faults.PATIENCE / 2)
    assert not thread.is_alive()
    assert "given up" in raised[0].failure.why
    server.behave = faults.html
    with pytest.raises(LinkError, match="HTML"):
        reader.read(soon())


@pytest.mark.parametrize("kind", LINKS)
def test_a_closed_link_reads_no_more(kind: Any, serve: Any, faults: Any) -> None:
    server = serve(faults.silent)
    reader = link(kind, server.url)
    reader.close()
    with pytest.raises(LinkError, match="given up"):
        reader.read(soon())


def test_a_refused_port_an_unknown_name_and_a_wrong_url() -> None:
    with pytest.raises(LinkError, match="connection refused"):
        link(AlertmanagerLink, "http://127.0.0.1:1").read(soon())
    with pytest.raises(LinkError, match="does not resolve"):
        link(AlertmanagerLink, "http://nothing.invalid").read(soon())
    for url in ("ftp://127.0.0.1", "127.0.0.1:9090", "http://[::1", "http://h:99999", ""):
        with pytest.raises(LinkError, match="its URL is not"):
            link(AlertmanagerLink, url).read(soon())


def test_tls_where_there_is_none(serve: Any, faults: Any) -> None:
    server = serve(faults.html)
    with pytest.raises(LinkError, match="does not speak TLS"):
        link(AlertmanagerLink, server.url.replace("http:", "https:")).read(soon())


def test_credentials_go_out_and_never_into_an_error(serve: Any, faults: Any) -> None:
    server = serve(faults.unauthorized)
    reference = SecretRef(env="ANY")
    config = {"username": "ana", "password": reference}
    with pytest.raises(LinkError) as caught:
        link(AlertmanagerLink, server.url, lambda _: Secret("hunter2"), **config).read(soon())
    assert b"Basic YW5hOmh1bnRlcjI=" in server.heads[0]  # ana:hunter2
    assert "hunter2" not in str(caught.value) and "YW5h" not in str(caught.value)
    with pytest.raises(LinkError):
        link(AlertmanagerLink, server.url, lambda _: Secret("token-1"), bearer=reference).read(
            soon()
        )
    assert b"Bearer token-1" in server.heads[1]


def test_a_secret_that_cannot_be_read_is_a_link_error() -> None:
    def fail(_: SecretRef) -> Secret:
        raise CofaError("TOKEN is not set")

    with pytest.raises(LinkError, match="TOKEN is not set") as caught:
        link(AlertmanagerLink, "http://127.0.0.1:1", fail, bearer=SecretRef(env="TOKEN")).read(
            soon()
        )
    assert caught.value.failure.kind is FailureKind.DENIED


def test_credentials_in_a_url_are_not_shown() -> None:
    source = HttpSource("x", HttpConfig("http://ana:hunter2@h:9/p\x1b[31m"), None, no_secret)
    assert source.subject == "x http://h:9/p"


class Tunnel:
    """A host whose reach ends in a Unix socket, as a tunnel's does."""

    name, local = "host:prod-1", False

    def __init__(self, path: Any) -> None:
        self.path = path
        self.asked: list[Any] = []

    def reach(self, address: Any, deadline: Deadline) -> UnixAddress:
        self.asked.append(address)
        return UnixAddress(self.path)


def test_through_a_host_the_unix_socket_is_asked(tmp_path: Any, faults: Any) -> None:
    import socket

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def answer() -> None:
        with listener.accept()[0] as sock:
            head = sock.recv(65536)
            heads.append(head)
            sock.sendall(faults.response(b"[]"))

    heads: list[bytes] = []
    thread = threading.Thread(target=answer)
    thread.start()
    host: Any = Tunnel(tmp_path / "s")
    config = HttpConfig("http://127.0.0.1:9093", through="prod-1")
    reader = AlertmanagerLink(config, host, SystemClock(), no_secret)
    with listener:
        assert reader.read(soon()).alerts == ()
        thread.join()
    assert host.asked == [TcpAddress("127.0.0.1", 9093)]
    assert b"Host: 127.0.0.1:9093" in heads[0]
    with pytest.raises(LinkError, match="through prod-1"):  # the tunnel is gone
        reader.read(soon())


def test_packed_answers_are_unpacked_within_the_limit(serve: Any, faults: Any) -> None:
    import gzip

    def answer(body: bytes) -> Any:
        packed = gzip.compress(body)
        return lambda exchange: exchange.send(
            faults.response(packed, more="Content-Encoding: gzip\r\n")
        )

    server = serve(answer(b"[]"))
    assert link(AlertmanagerLink, server.url).read(soon()).alerts == ()
    server.behave = answer(b"[" + b" " * (20 << 20) + b"]")
    with pytest.raises(LinkError, match="more than 16 MiB"):
        link(AlertmanagerLink, server.url).read(soon())
