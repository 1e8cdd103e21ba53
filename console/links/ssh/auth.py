"""Logging in by keys: the agent's and those in files. Never asks for anything.

Imported late, by ssh_connect alone.
"""

import base64
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import UnknownKeyType

from console.errors import FailureKind, LinkError
from console.links.ssh.call import Call
from console.links.ssh.channel import SshTransport
from console.links.ssh.config import SshTarget
from console.links.ssh.known_hosts import fingerprint, key_type
from console.text import clean


@dataclass(slots=True)
class _Tried:
    """What was offered and what could not be, for the message."""

    offered: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    agent: str = ""
    """What is the matter with the agent; empty if nothing is."""
    agent_remedy: str = ""


class _Agent(AgentSSH):
    """The agent at a socket of our choice; paramiko's own knows $SSH_AUTH_SOCK alone."""

    # Internals of the pinned version.
    _connect: Callable[[socket.socket], None]
    _close: Callable[[], None]

    def __init__(self, path: str, call: Call) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Also bounds a signature: an agent may ask its user, who may not be there.
            connection.settimeout(call.deadline.timeout())
            connection.connect(path)
            self._connect(connection)
        except BaseException:
            connection.close()
            raise
        call.on_cancel(lambda: _shut(connection))

    def close(self) -> None:
        self._close()


def log_in(transport: SshTransport, target: SshTarget, call: Call) -> None:
    """Offer the agent's keys, then those of the identity files, as OpenSSH orders them.

    Raises LinkError: DENIED (with what was tried and the agent's state), TIMEOUT,
    UNREACHABLE (the server hung up).
    """
    call.doing = f"logging in to {target.where}"
    if not target.public_keys:
        raise LinkError(
            FailureKind.UNSUPPORTED,
            call.subject,
            "ssh_config says PubkeyAuthentication no, and cofa logs in by keys only",
            f"allow it for this host: PubkeyAuthentication yes under Host {target.alias}",
        )
    tried = _Tried()
    agent = _open_agent(target, call, tried)
    try:
        for name, key in _keys(target, agent, tried):
            call.check()
            tried.offered.append(name)
            transport.auth_timeout = call.deadline.timeout()
            if _offer(transport, target, key, call, tried):
                return
    finally:
        if agent is not None:
            agent.close()
    raise _denied(target, call, tried)


def _offer(
    transport: SshTransport, target: SshTarget, key: paramiko.PKey, call: Call, tried: _Tried
) -> bool:
    """Whether the server lets us in with `key`."""
    try:
        further = transport.auth_publickey(target.user, key)
    except paramiko.BadAuthenticationType as error:
        raise LinkError(
            FailureKind.DENIED,
            call.subject,
            f"the server takes no keys from {target.user}, only: "
            f"{clean(', '.join(error.allowed_types), 100)}",
            "allow PubkeyAuthentication in its sshd_config: cofa logs in by keys only",
        ) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        call.check()
        if transport.is_active():
            if not isinstance(error, paramiko.AuthenticationException):
                tried.unusable.append(f"{tried.offered.pop()} ({clean(error, 80)})")
            return False
        raise _hung_up(target, call, tried) from None
    if further:
        raise LinkError(
            FailureKind.UNSUPPORTED,
            call.subject,
            f"the server wants more than a key: {clean(', '.join(further), 100)}",
            f"let {target.user} in by a key alone (AuthenticationMethods in sshd_config)",
        )
    return True


def _open_agent(target: SshTarget, call: Call, tried: _Tried) -> _Agent | None:
    if not target.agent:
        tried.agent = "no agent (SSH_AUTH_SOCK is not set)"
        tried.agent_remedy = 'start one: eval "$(ssh-agent)" && ssh-add'
        return None
    try:
        agent = _Agent(target.agent, call)
    except (OSError, paramiko.SSHException, EOFError) as error:
        call.check()
        tried.agent = f"the agent at {clean(target.agent, 120)} does not answer"
        if isinstance(error, OSError) and error.errno is not None:
            tried.agent += f" ({os.strerror(error.errno)})"
        tried.agent_remedy = "log in again with agent forwarding, or start an agent and ssh-add"
        return None
    if not agent.get_keys():
        tried.agent = "the agent holds no keys"
        tried.agent_remedy = "ssh-add"
    return agent


def _keys(
    target: SshTarget, agent: _Agent | None, tried: _Tried
) -> Iterator[tuple[str, paramiko.PKey]]:
    """Agent keys that an IdentityFile names, the agent's others, then the files."""
    named = {blob: path for path in target.identities for blob in _public_blobs(path)}
    held = list(agent.get_keys()) if agent else []
    held.sort(key=lambda key: key.blob not in named)
    offered: set[bytes] = set()
    for key in held:
        if target.identities_only and key.blob not in named:
            continue
        name = f"agent {fingerprint(key.blob)}"
        if _security_key(key):
            tried.unusable.append(f"{name} (a FIDO key: cofa cannot use those)")
            continue
        offered.add(key.blob)
        yield name, key
    for path in target.identities:
        loaded = _load(path, target, tried, offered)
        if loaded is not None:
            yield f"{path}", loaded


def _security_key(key: AgentKey) -> bool:
    return key_type(key.blob).startswith("sk-")


def _public_blobs(path: Path) -> Iterator[bytes]:
    """The public key beside an identity file; the file itself may be one, for an agent."""
    for file in (Path(f"{path}.pub"), path):
        with suppress(OSError, ValueError):
            fields = file.read_text("ascii").split(None, 2)
            if len(fields) > 1 and not fields[0].startswith("-"):
                yield base64.b64decode(fields[1], validate=True)


def _load(
    path: Path, target: SshTarget, tried: _Tried, offered: set[bytes]
) -> paramiko.PKey | None:
    """The private key in `path`; None, and why in `tried`, where it cannot be used."""
    if any(blob in offered for blob in _public_blobs(path)):
        return None  # the agent offered it already
    try:
        if path.read_bytes()[:1] != b"-":
            return None  # a public key, meant for the agent
        key = paramiko.PKey.from_path(path)
        for certificate in target.certificates:
            with suppress(ValueError, OSError):
                key.load_certificate(str(certificate))
        return key
    except FileNotFoundError:
        return None
    except PermissionError:
        tried.unusable.append(f"{path} (may not be read)")
    except UnknownKeyType:
        tried.unusable.append(f"{path} (a kind of key that cofa cannot use)")
    except (TypeError, paramiko.PasswordRequiredException):
        tried.unusable.append(f"{path} (has a passphrase, is not in the agent)")
    except Exception as error:
        kind = _public_kind(path)
        why = "a FIDO key: cofa cannot use those" if kind.startswith("sk-") else clean(error, 80)
        tried.unusable.append(f"{path} ({why or 'not a private key'})")
    return None


def _public_kind(path: Path) -> str:
    return next((key_type(blob) for blob in _public_blobs(path)), "")


def _denied(target: SshTarget, call: Call, tried: _Tried) -> LinkError:
    why = f"{target.where} does not let us in; offered: {', '.join(tried.offered) or 'no key'}"
    if tried.unusable:
        why += f"; not usable: {', '.join(tried.unusable)}"
    if tried.agent:
        why += f"; {tried.agent}"
    locked = next((item for item in tried.unusable if "passphrase" in item), "")
    if locked:
        remedy = f"put the key in the agent: ssh-add {locked.partition(' (')[0]}"
    elif any("FIDO" in item for item in tried.unusable) and not tried.offered:
        remedy = (
            "give cofa a key of its own: ssh-keygen -t ed25519 -f ~/.ssh/cofa, "
            f"its .pub to {target.where}, IdentityFile ~/.ssh/cofa under Host {target.alias}"
        )
    elif tried.agent_remedy and not tried.offered:
        remedy = tried.agent_remedy
    else:
        remedy = f"see which keys it takes: ssh -v {_ssh(target)} true"
    return LinkError(FailureKind.DENIED, call.subject, why, remedy)


def _hung_up(target: SshTarget, call: Call, tried: _Tried) -> LinkError:
    if len(tried.offered) < 3:
        return LinkError(
            FailureKind.UNREACHABLE,
            call.subject,
            f"{target.where} hung up during login",
            f"try it by hand: ssh -v {_ssh(target)} true; read sshd's log there",
        )
    return LinkError(
        FailureKind.DENIED,
        call.subject,
        f"{target.where} hung up after {len(tried.offered)} keys: {', '.join(tried.offered)}",
        f"name the right one: IdentityFile and IdentitiesOnly yes under Host {target.alias}",
    )


def _ssh(target: SshTarget) -> str:
    return f"-p {target.port} {target.user}@{target.hostname}"


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
