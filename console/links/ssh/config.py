"""Where an SSH host is and how to log in: OpenSSH's own answer, ``ssh -G``.

With it come Host and Match blocks, Include, and the defaults of the installed version.
Where OpenSSH is missing, paramiko's parser reads ~/.ssh/config, without Include.
"""

import os
import pwd
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from console.clock import Clock, Deadline
from console.errors import FailureKind, LinkError
from console.links.host.local import LocalHost
from console.text import clean

# They would reach a shell by a ProxyCommand's %h and %r, or ssh's own options.
_UNFIT: Final = re.compile(r"[\s'\"`$\\;&<>|(){}\x00-\x1f\x7f]")

_DEFAULT_KEYS: Final = ("id_rsa", "id_ecdsa", "id_ed25519")


@dataclass(frozen=True, slots=True)
class SshAddress:
    """``[user@]host[:port]`` as the configuration has it; host may be an alias."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}:{self.port}" if self.port else f"{user}{host}"


@dataclass(frozen=True, slots=True)
class SshTarget:
    """What `ssh` would do for one address."""

    alias: str
    hostname: str
    port: int
    user: str
    identities: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = ""
    """Socket of the agent; empty for none."""
    proxy_jump: tuple[str, ...] = ()
    """Hosts to go through, nearest first."""
    proxy_command: str = ""
    known_hosts: tuple[Path, ...] = ()
    host_key_alias: str = ""
    revoked: Path | None = None
    known_hosts_command: bool = False
    public_keys: bool = True
    connect_timeout: float | None = None
    family: socket.AddressFamily = socket.AF_UNSPEC
    bind: str = ""

    @property
    def where(self) -> str:
        """``user@hostname:port``, for messages."""
        return str(SshAddress(self.hostname, self.user, self.port))


def parse_ssh_address(text: str, subject: str) -> SshAddress:
    """Read ``ssh://[user@]host[:port]``, or the same without ``ssh://``.

    Raises LinkError (INVALID); its text never repeats the address, which may hold a
    password.
    """
    try:
        parts = urlsplit(text if text.startswith("ssh://") else f"ssh://{text}")
        host, port = parts.hostname or "", parts.port
        # urlsplit lowers the host, but aliases of ssh_config may have capitals.
        written = re.search(re.escape(host), parts.netloc.rpartition("@")[2], re.IGNORECASE)
        host = unquote(written[0] if written else host)
        user = unquote(parts.username) if parts.username is not None else None
    except ValueError as error:
        raise _invalid(subject, clean(error, 100)) from None
    if parts.password is not None:
        raise _invalid(subject, "it holds a password: cofa logs in by keys only")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _invalid(subject, "something follows the host")
    for name, value in (("host", host), ("user", "x" if user is None else user)):
        if not value or value.startswith("-") or _UNFIT.search(value):
            raise _invalid(subject, f"its {name} is missing or holds characters no {name} has")
    if port == 0:
        raise _invalid(subject, "0 is no port")
    return SshAddress(host, user, port)


def _invalid(subject: str, why: str) -> LinkError:
    return LinkError(
        FailureKind.INVALID,
        subject,
        f"its address is not ssh://[user@]host[:port]: {why}",
        "correct `address` of this host in cofa.toml",
    )


def resolve(
    address: SshAddress,
    subject: str,
    deadline: Deadline,
    clock: Clock,
    environ: Mapping[str, str],
    config: Path | None = None,
) -> SshTarget:
    """Ask OpenSSH what it would do for `address`, with `config` for ~/.ssh/config (-F).

    Raises LinkError: INVALID (a bad configuration file), TIMEOUT (a Match exec hangs).
    """
    ssh = shutil.which("ssh", path=environ.get("PATH"))
    if ssh is None:
        return parse_resolved(_without_openssh(address, subject, config), address, environ)
    argv = [ssh, "-G"]
    argv += ["-F", str(config)] if config else []
    argv += ["-l", address.user] if address.user else []
    argv += ["-p", str(address.port)] if address.port else []
    local = LocalHost("ssh", clock, environ)
    done = local.run([*argv, "--", address.host], deadline, limit=256 << 10)
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise LinkError(
            FailureKind.INVALID,
            subject,
            f"ssh cannot resolve it: {clean(said, 200)}",
            f"see what is wrong: ssh -G {address.host}",
        )
    return parse_resolved(done.stdout.decode("utf-8", "replace"), address, environ)


def _without_openssh(address: SshAddress, subject: str, config: Path | None) -> str:
    """The same lines as `ssh -G` prints, by paramiko's parser."""
    import paramiko

    path = config or _home() / ".ssh" / "config"
    try:
        parser = paramiko.SSHConfig.from_path(str(path)) if path.exists() else paramiko.SSHConfig()
        found: dict[str, object] = dict(parser.lookup(address.host))
    except (OSError, paramiko.SSHException, UnicodeError) as error:
        raise LinkError(
            FailureKind.INVALID,
            subject,
            f"{path} cannot be read: {clean(error, 200)}",
            "correct it, or install OpenSSH's client, whose answer cofa prefers",
        ) from None
    lines: list[str] = []
    for key, value in found.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{key} {item}" for item in values]
    if "identityfile" not in found:
        lines += [f"identityfile ~/.ssh/{name}" for name in _DEFAULT_KEYS]
    if "userknownhostsfile" not in found:
        lines.append("userknownhostsfile ~/.ssh/known_hosts")
    lines.append("globalknownhostsfile /etc/ssh/ssh_known_hosts")
    return "\n".join(lines)


def parse_resolved(text: str, address: SshAddress, environ: Mapping[str, str]) -> SshTarget:
    """Read what ``ssh -G`` printed: one ``keyword value`` a line, keywords in small letters."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        if value.strip():
            found.setdefault(keyword.lower(), []).append(value.strip())

    def one(keyword: str, default: str = "") -> str:
        value = found.get(keyword, [default])[0]
        return default if value.lower() == "none" else value

    hostname = one("hostname", address.host)
    user = address.user or one("user", pwd.getpwuid(os.getuid()).pw_name)
    port = address.port or int(one("port", "22"))
    tokens = _tokens(address.host, hostname, port, user, one("hostkeyalias"))

    def paths(keyword: str) -> tuple[Path, ...]:
        values = [v for v in found.get(keyword, []) if v.lower() != "none"]
        return tuple(_path(value, tokens, environ) for value in values)

    timeout = one("connecttimeout")
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
    jump = one("proxyjump")
    return SshTarget(
        alias=address.host,
        hostname=hostname,
        port=port,
        user=user,
        identities=paths("identityfile"),
        certificates=paths("certificatefile"),
        identities_only=one("identitiesonly") == "yes",
        agent=_agent(found.get("identityagent", ["SSH_AUTH_SOCK"])[0], tokens, environ),
        proxy_jump=tuple(hop.strip() for hop in jump.split(",") if hop.strip()),
        proxy_command="" if jump else _expand(one("proxycommand"), tokens),
        known_hosts=tuple(
            _path(value, tokens, environ)
            for keyword in ("userknownhostsfile", "globalknownhostsfile")
            for value in _file_list(one(keyword))
        ),
        host_key_alias=one("hostkeyalias"),
        revoked=next(iter(paths("revokedhostkeys")), None),
        known_hosts_command=bool(one("knownhostscommand")),
        public_keys=one("pubkeyauthentication", "yes") not in ("no", "false"),
        connect_timeout=float(timeout) if timeout.isdigit() and int(timeout) > 0 else None,
        family=family.get(one("addressfamily"), socket.AF_UNSPEC),
        bind=one("bindaddress"),
    )


def _home() -> Path:
    """As OpenSSH takes it: by the user database, not by $HOME."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _tokens(alias: str, hostname: str, port: int, user: str, key_alias: str) -> dict[str, str]:
    """TOKENS of ssh_config(5), as far as files and proxies use them."""
    return {
        "%": "%",
        "d": str(_home()),
        "h": hostname,
        "i": str(os.getuid()),
        "k": key_alias or alias,
        "L": socket.gethostname().partition(".")[0],
        "l": socket.gethostname(),
        "n": alias,
        "p": str(port),
        "r": user,
        "u": pwd.getpwuid(os.getuid()).pw_name,
    }


def _expand(text: str, tokens: Mapping[str, str]) -> str:
    return re.sub(r"%(.)", lambda match: tokens.get(match[1], match[0]), text)


def _path(text: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    text = re.sub(r"\$\{(\w+)\}", lambda match: environ.get(match[1], ""), text.strip('"'))
    text = _expand(text, tokens)
    if text == "~" or text.startswith("~/"):
        return _home() / text[2:]
    return Path(text)


def _file_list(text: str) -> list[str]:
    """Split a list of files, in which ``ssh -G`` does not quote spaces.

    A word that is no path of its own belongs to the one before it.
    """
    files: list[str] = []
    for word in text.split():
        if not files or word.startswith(("/", "~", "$", "%")):
            files.append(word)
        else:
            files[-1] += f" {word}"
    return [file for file in files if file.lower() != "none"]


def _agent(value: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """IdentityAgent: a path, ``none``, ``SSH_AUTH_SOCK`` or ``$VARIABLE``."""
    if value.lower() == "none":
        return ""
    if value == "SSH_AUTH_SOCK":
        return environ.get(value, "")
    if re.fullmatch(r"\$\w+", value):
        return environ.get(value[1:], "")
    return str(_path(value, tokens, environ))
