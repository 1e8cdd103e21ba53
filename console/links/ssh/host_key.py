"""Refusing a host whose key is not the one we know, with what to do about it."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from console.errors import FailureKind, LinkError
from console.links.ssh.call import Call
from console.links.ssh.config import SshTarget
from console.links.ssh.known_hosts import (
    KeyJudgement,
    KeyVerdict,
    KnownKey,
    fingerprint,
    judge_key,
    key_type,
    known_as,
    parse_known_hosts,
)
from console.text import clean

_FILE_LIMIT: Final = 16 << 20


def read_known_hosts(target: SshTarget) -> tuple[KnownKey, ...]:
    """The entries of all known_hosts files of this target; a missing file has none."""
    found: list[KnownKey] = []
    for path in target.known_hosts:
        found += parse_known_hosts(_read(path), str(path))
    if target.revoked is not None:
        # RevokedHostKeys as a list of public keys; the binary form (KRL) yields no entries.
        lines = (f"@revoked * {line}" for line in _read(target.revoked).splitlines())
        found += parse_known_hosts("\n".join(lines), str(target.revoked))
    return tuple(found)


def check_host_key(blob: bytes, known: Sequence[KnownKey], target: SshTarget, call: Call) -> None:
    """Raise LinkError (DENIED, or UNSUPPORTED for a certificate authority) unless it is known."""
    name = target.host_key_alias or target.hostname
    port = 22 if target.host_key_alias else target.port
    judgement = judge_key(known, name, port, blob)
    if judgement.verdict is KeyVerdict.KNOWN:
        return
    raise _refused(judgement, blob, target, call)


def show_command(target: SshTarget) -> str:
    """The command that shows the keys which the host itself offers."""
    if target.proxy_jump or target.proxy_command:
        # ssh-keyscan cannot go through a proxy; ssh itself asks before it logs in.
        return f"ssh -o StrictHostKeyChecking=ask {shlex.quote(target.alias)} true"
    host = shlex.quote(target.hostname)
    return f"ssh-keyscan -p {target.port} {host} | ssh-keygen -lf -"


def _refused(judgement: KeyJudgement, blob: bytes, target: SshTarget, call: Call) -> LinkError:
    got = fingerprint(blob)
    place = judgement.lines[0].place if judgement.lines else ""
    show = show_command(target)
    kind = FailureKind.DENIED
    match judgement.verdict:
        case KeyVerdict.CHANGED:
            expected = ", ".join(fingerprint(line.blob) for line in judgement.lines[:3])
            why = f"the host key of {target.where} CHANGED: expected {expected}, got {got}"
            remedy = (
                f"someone may be in between. Ask its owner; see the key: {show}; only if it is "
                f"right: ssh-keygen -R {shlex.quote(_entry(target))} ({place}), then ssh once"
            )
        case KeyVerdict.REVOKED:
            why = f"the host key of {target.where} is revoked: {got} ({place})"
            remedy = "do not log in; ask the owner of the host for its new key"
        case KeyVerdict.AUTHORITY:
            kind = FailureKind.UNSUPPORTED
            why = (
                f"{target.where} is known only by a certificate authority ({place}), "
                f"which cofa cannot check; its plain key is {got}"
            )
            remedy = f"see the key: {show}; if it is right, add it: {_add(target, blob)}"
        case _:
            why = f"the host key of {target.where} is not known: got {got}"
            if judgement.lines:
                others = ", ".join(fingerprint(line.blob) for line in judgement.lines[:3])
                why += f", known are {others}"
            if target.known_hosts_command:
                why += "; KnownHostsCommand is not asked by cofa"
            remedy = f"see the key: {show}; if it is right, add it: {_add(target, blob)}"
    return LinkError(kind, call.subject, clean(why, 600), clean(remedy, 600))


def _entry(target: SshTarget) -> str:
    if target.host_key_alias:
        return target.host_key_alias
    return known_as(target.hostname, target.port)


def _add(target: SshTarget, blob: bytes) -> str:
    """How to add the key that was shown."""
    if target.proxy_jump or target.proxy_command or target.host_key_alias:
        return f"ssh {shlex.quote(target.alias)} true"
    kind = key_type(blob).removeprefix("ssh-").partition("-")[0]
    scan = f"ssh-keyscan -t {kind} -p {target.port} {shlex.quote(target.hostname)}"
    files = [path for path in target.known_hosts if path != Path("/dev/null")]
    return f"{scan} >> {shlex.quote(str(files[0]))}" if files else scan


def _read(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(_FILE_LIMIT).decode("utf-8", "replace")
    return ""
