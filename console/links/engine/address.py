"""Where the engine answers: DOCKER_HOST, Docker contexts and what is configured.

The same precedence as the docker command's: DOCKER_HOST, DOCKER_CONTEXT, the configured
current context, then the default socket. Contexts are read from Docker's own files
(``contexts/meta/SHA256-OF-NAME/meta.json``), so that no client is loaded for it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from console.config.environment import EngineConfig
from console.errors import FailureKind, LinkError
from console.links.engine.contexts import DEFAULT_CONTEXT, current_context, docker_config
from console.links.engine.parts import section, text
from console.text import clean

DEFAULT: Final = "unix:///var/run/docker.sock"
_SCHEMES: Final = ("unix://", "tcp://", "ssh://")
_REMEDY: Final = (
    "set engine.address to unix:///path, tcp://host:port, ssh://host or context:NAME, "
    "or see `docker context ls`"
)


def resolve_engine(config: EngineConfig, environ: Mapping[str, str]) -> EngineConfig:
    """`config` with a concrete address: ``unix://``, ``tcp://`` or ``ssh://``.

    For ``ssh://`` the socket on that host is in `socket`, and the address names the host
    alone. Raises LinkError where the address or the context cannot be understood.
    """
    if config.address.startswith("context:"):
        return _of_context(config.address.removeprefix("context:"), config, environ)
    if config.address:
        return _checked(config)
    if environ.get("DOCKER_HOST"):
        return _checked(_with_environment(config, environ))
    return _of_context(current_context(environ), config, environ)


def _with_environment(config: EngineConfig, environ: Mapping[str, str]) -> EngineConfig:
    """DOCKER_HOST with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as the docker command takes them."""
    config = replace(config, address=environ["DOCKER_HOST"])
    if not environ.get("DOCKER_TLS_VERIFY") or config.tls_ca:
        return config
    folder = Path(environ.get("DOCKER_CERT_PATH") or docker_config(environ))
    return _with_tls(config, folder)


def _with_tls(config: EngineConfig, folder: Path) -> EngineConfig:
    def existing(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return replace(
        config,
        tls_ca=config.tls_ca or existing("ca.pem"),
        tls_cert=config.tls_cert or existing("cert.pem"),
        tls_key=config.tls_key or existing("key.pem"),
    )


def _of_context(name: str, config: EngineConfig, environ: Mapping[str, str]) -> EngineConfig:
    if name == DEFAULT_CONTEXT:
        if environ.get("DOCKER_HOST"):
            return _checked(_with_environment(config, environ))
        return replace(config, address=DEFAULT)
    identity = hashlib.sha256(name.encode()).hexdigest()
    contexts = docker_config(environ) / "contexts"
    host = text(_endpoint(name, contexts / "meta" / identity / "meta.json").get("Host"))
    return _with_tls(
        _checked(replace(config, address=host)), contexts / "tls" / identity / "docker"
    )


def _endpoint(name: str, path: Path) -> Mapping[str, Any]:
    subject = f"Docker context {clean(name)}"
    try:
        endpoint = section(json.loads(path.read_bytes()), "Endpoints", "docker")
    except FileNotFoundError:
        raise LinkError(
            FailureKind.MISSING, subject, "there is no such context", "see `docker context ls`"
        ) from None
    except (OSError, ValueError) as error:
        why = f"{path} cannot be read: {clean(error)}"
        raise LinkError(FailureKind.INVALID, subject, why, "see `docker context inspect`") from None
    if not endpoint.get("Host"):
        raise LinkError(
            FailureKind.INVALID, subject, "it names no engine", "see `docker context inspect`"
        )
    return endpoint


def _checked(config: EngineConfig) -> EngineConfig:
    address = config.address
    subject = f"engine {clean(address)}"
    if address.startswith(("http://", "https://")):
        address = "tcp://" + address.partition("://")[2]
    if not address.startswith(_SCHEMES):
        raise LinkError(FailureKind.UNSUPPORTED, subject, "no address that cofa knows", _REMEDY)
    if address.startswith("unix://"):
        if not address.startswith("unix:///"):
            raise LinkError(FailureKind.UNSUPPORTED, subject, "the path is not absolute", _REMEDY)
        return replace(config, address=address)
    if address.startswith("ssh://"):
        parts = urlsplit(address)
        if not parts.hostname:
            raise LinkError(FailureKind.UNSUPPORTED, subject, "it names no host", _REMEDY)
        socket = parts.path if parts.path not in ("", "/") else config.socket
        return replace(config, address=f"ssh://{parts.netloc}", socket=socket)
    return _tcp(replace(config, address=address.rstrip("/")), subject)


def _tcp(config: EngineConfig, subject: str) -> EngineConfig:
    try:
        parts = urlsplit(config.address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise LinkError(FailureKind.UNSUPPORTED, subject, "no host:port", _REMEDY)
    if parts.username or parts.password:
        raise LinkError(
            FailureKind.UNSUPPORTED, "engine tcp://...", "credentials in the address", _REMEDY
        )
    shown = f"[{host}]" if ":" in host else host
    default = 2376 if config.tls_ca or config.tls_cert else 2375
    return replace(config, address=f"tcp://{shown}:{port or default}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a client connects from here, tunnels included."""

    url: str
    """``unix:///path``, ``http://host:port`` or ``https://host:port``."""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def socket(self) -> Path | None:
        """The Unix socket, if it is one."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


def target_of(config: EngineConfig) -> Target:
    """Where to connect for a ``unix://`` or ``tcp://`` address."""
    if config.address.startswith("unix://"):
        return Target(config.address)
    secure = bool(config.tls_ca or config.tls_cert or config.tls_key)
    place = config.address.removeprefix("tcp://")
    url = f"{'https' if secure else 'http'}://{place}"
    return Target(url, config.tls_ca, config.tls_cert, config.tls_key)
