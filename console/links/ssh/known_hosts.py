"""Whether a host's key is the one we know: known_hosts as sshd(8) describes it. Pure."""

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MARKERS: Final = ("@revoked", "@cert-authority")

_ALGORITHMS: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""A key of this type signs by other names (RFC 8332)."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a known_hosts file."""

    patterns: str
    """Hosts, with ``*``, ``?`` and ``!``; or one hashed name: ``|1|salt|hash``."""
    kind: str
    """Type of the key: ``ssh-ed25519``."""
    blob: bytes
    marker: str = ""
    place: str = ""
    """``FILE:LINE``."""

    def names(self, name: str) -> bool:
        """Whether this line is about the host `name`."""
        if self.patterns.startswith("|1|"):
            return _hashed(self.patterns, name)
        hit = False
        for pattern in self.patterns.lower().split(","):
            negated = pattern.startswith("!")
            if fnmatch.fnmatchcase(name.lower(), _glob(pattern.lstrip("!"))):
                if negated:
                    return False
                hit = True
        return hit


class KeyVerdict(StrEnum):
    """What known_hosts says of a key that a host showed."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"
    AUTHORITY = "authority"  # only a certificate authority vouches for it


@dataclass(frozen=True, slots=True)
class KeyJudgement:
    """The verdict, and the lines it rests on."""

    verdict: KeyVerdict
    lines: tuple[KnownKey, ...] = ()


def parse_known_hosts(text: str, file: str) -> tuple[KnownKey, ...]:
    """Read a file; a line that is no entry is passed over, as OpenSSH does."""
    found: list[KnownKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or (marker and marker not in _MARKERS):
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        found.append(KnownKey(fields[0], fields[1], blob, marker, f"{file}:{number}"))
    return tuple(found)


def known_as(host: str, port: int) -> str:
    """The name under which known_hosts has a host: ``[host]:port`` unless it is port 22."""
    return host if port == 22 else f"[{host}]:{port}"


def judge_key(known: Sequence[KnownKey], host: str, port: int, blob: bytes) -> KeyJudgement:
    """What `known` says of the key `blob` that `host` showed on `port`.

    A key listed for the host without its port counts as well, if it is that very key.
    """
    name = known_as(host, port)
    about = [line for line in known if line.names(name)]
    bare = [line for line in known if port != 22 and line.names(host)]
    revoked = [k for k in (*about, *bare) if k.marker == "@revoked" and k.blob == blob]
    if revoked:
        return KeyJudgement(KeyVerdict.REVOKED, tuple(revoked))
    kind = key_type(blob)
    plain = [line for line in about if not line.marker]
    same = [line for line in (*plain, *(k for k in bare if not k.marker)) if line.blob == blob]
    if same:
        return KeyJudgement(KeyVerdict.KNOWN, tuple(same))
    changed = [line for line in plain if line.kind == kind]
    if changed:
        return KeyJudgement(KeyVerdict.CHANGED, tuple(changed))
    authorities = [k for k in (*about, *bare) if k.marker == "@cert-authority"]
    if authorities and not plain:
        return KeyJudgement(KeyVerdict.AUTHORITY, tuple(authorities))
    return KeyJudgement(KeyVerdict.UNKNOWN, tuple(plain))


def wanted_algorithms(known: Iterable[KnownKey], host: str, port: int) -> tuple[str, ...]:
    """Algorithms of the keys known for this host: to be asked for first.

    Otherwise a host with several keys shows one that is not known, and seems changed.
    """
    names = (known_as(host, port), host)
    kinds = [k.kind for k in known if not k.marker and any(k.names(name) for name in names)]
    found = (algorithm for kind in kinds for algorithm in _ALGORITHMS.get(kind, (kind,)))
    return tuple(dict.fromkeys(found))


def fingerprint(blob: bytes) -> str:
    """As ``ssh-keygen -l`` shows it: ``ED25519 SHA256:...``."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    kind = key_type(blob).removeprefix("ssh-").partition("-")[0].upper()
    return f"{kind} SHA256:{digest}"


def key_type(blob: bytes) -> str:
    """The name that a public key begins with (RFC 4253, 6.6); empty if it is none."""
    length = int.from_bytes(blob[:4], "big")
    name = blob[4 : 4 + length]
    return name.decode("ascii", "replace") if 0 < length <= 64 and len(name) == length else ""


def _hashed(pattern: str, name: str) -> bool:
    """HMAC-SHA1 of the name, as ssh-keygen -H writes it."""
    try:
        salt, digest = (base64.b64decode(part) for part in pattern.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.lower().encode(), "sha1"), digest)


def _glob(pattern: str) -> str:
    """known_hosts has only ``*`` and ``?``; brackets mean themselves, as in [host]:port."""
    return re.sub(r"\[", "[[]", pattern)
