"""Where the engine answers: DOCKER_HOST, contexts, what is configured."""

import hashlib
import json
from pathlib import Path

import pytest

from console.config.environment import EngineConfig
from console.errors import FailureKind, LinkError
from console.links.engine.address import resolve_engine, target_of


def context(home: Path, name: str, host: str, *, tls: bool = False) -> None:
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker/contexts/meta" / identity / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    if tls:
        folder = home / ".docker/contexts/tls" / identity / "docker"
        folder.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (folder / file).write_text("x")


def resolved(address: str = "", **environ: str) -> EngineConfig:
    return resolve_engine(EngineConfig(address), environ)


def test_nothing_said_is_the_default_socket(tmp_path: Path) -> None:
    assert resolved(HOME=str(tmp_path)).address == "unix:///var/run/docker.sock"


def test_docker_host_comes_first(tmp_path: Path) -> None:
    context(tmp_path, "prod", "ssh://prod-1")
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "prod"}')
    environ = {"HOME": str(tmp_path), "DOCKER_HOST": "unix:///run/other.sock"}
    assert resolved(**environ).address == "unix:///run/other.sock"
    environ.pop("DOCKER_HOST")
    assert resolved(**environ).address == "ssh://prod-1"


def test_docker_context_comes_before_the_current_one(tmp_path: Path) -> None:
    context(tmp_path, "a", "tcp://a:2376")
    context(tmp_path, "b", "tcp://b:2376")
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "a"}')
    assert resolved(HOME=str(tmp_path), DOCKER_CONTEXT="b").address == "tcp://b:2376"
    assert resolved("context:a", HOME=str(tmp_path)).address == "tcp://a:2376"
    assert resolved(DOCKER_CONFIG=str(tmp_path / ".docker")).address == "tcp://a:2376"


def test_a_context_brings_its_certificates(tmp_path: Path) -> None:
    context(tmp_path, "prod", "tcp://prod", tls=True)
    config = resolved("context:prod", HOME=str(tmp_path))
    target = target_of(config)
    assert config.tls_ca is not None and config.tls_ca.name == "ca.pem"
    assert target.url.startswith("https://prod:")
    assert target.certificate is not None and target.key is not None


def test_tls_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    environ = {"DOCKER_HOST": "tcp://prod:2376", "DOCKER_CERT_PATH": str(tmp_path)}
    assert target_of(resolved(**environ)).url == "http://prod:2376"
    secure = resolved(DOCKER_TLS_VERIFY="1", **environ)
    assert target_of(secure).url == "https://prod:2376"
    assert secure.tls_cert is None


def test_ssh_keeps_the_host_and_takes_the_socket_apart() -> None:
    config = resolved("ssh://ana@prod-1:2222/run/user/1000/docker.sock")
    assert (config.address, config.socket) == (
        "ssh://ana@prod-1:2222",
        "/run/user/1000/docker.sock",
    )
    assert resolved("ssh://prod-1").socket == "/var/run/docker.sock"


@pytest.mark.parametrize(
    ("address", "result"),
    [
        ("tcp://prod", "tcp://prod:2375"),
        ("https://prod:2376/", "tcp://prod:2376"),
        ("tcp://[fd00::1]:2375", "tcp://[fd00::1]:2375"),
    ],
)
def test_tcp_addresses(address: str, result: str) -> None:
    assert resolved(address).address == result


@pytest.mark.parametrize(
    "address",
    [
        "npipe:////./pipe/docker_engine",
        "fd://",
        "unix://run.sock",
        "tcp://",
        "tcp://x:port",
        "ssh://",
        "\x1b[31m",
    ],
)
def test_what_cannot_be_an_engine(address: str) -> None:
    with pytest.raises(LinkError) as caught:
        resolved(address)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    assert "engine.address" in caught.value.failure.remedy
    assert "\x1b" not in str(caught.value)


def test_credentials_in_an_address_are_refused_unshown() -> None:
    with pytest.raises(LinkError) as caught:
        resolved("tcp://ana:hunter22@prod:2375")
    assert "hunter22" not in str(caught.value)


def test_contexts_that_are_gone_or_broken(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no such context"):
        resolved("context:gone", HOME=str(tmp_path))
    context(tmp_path, "empty", "")
    with pytest.raises(LinkError, match="names no engine"):
        resolved("context:empty", HOME=str(tmp_path))
    identity = hashlib.sha256(b"empty").hexdigest()
    (tmp_path / ".docker/contexts/meta" / identity / "meta.json").write_text("{")
    with pytest.raises(LinkError, match="cannot be read"):
        resolved("context:empty", HOME=str(tmp_path))
