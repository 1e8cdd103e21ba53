"""Opening a host: this machine, or one over SSH."""

from collections.abc import Mapping
from pathlib import Path

from console.clock import Clock
from console.config.environment import HostConfig
from console.links.host.local import LocalHost
from console.links.protocols import HostLink
from console.links.ssh.link import SshHost
from console.paths import Paths


def open_host(
    config: HostConfig, clock: Clock, paths: Paths, environ: Mapping[str, str]
) -> HostLink:
    """The link to a host. Connects to nothing yet.

    COFA_SSH_CONFIG names a file to be read instead of ~/.ssh/config, as `ssh -F` does.
    Raises LinkError (INVALID) for an address that is none.
    """
    if config.address in ("", "local"):
        return LocalHost(config.name, clock, environ)
    file = environ.get("COFA_SSH_CONFIG")
    return SshHost(config.name, config.address, clock, paths, environ, Path(file) if file else None)
