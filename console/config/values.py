"""Single values of cofa.toml: pure converters, each raising ValueError with its reason."""

import math
import re
from typing import Final
from urllib.parse import urlsplit

from console.model.backups import key_pattern
from console.text import clean

_UNITS: Final[dict[str, float]] = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "w": 604800.0,
    "week": 604800.0,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)
_WINDOW: Final = re.compile(r"(?:\d+(?:ms|[smhdwy]))+", re.ASCII)
_PLACE: Final = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\])"
    r"(?::(?P<port>\d{1,5}))?",
    re.ASCII,
)
_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)


def text(value: object) -> str:
    """A text of at least one character, without control or invisible ones."""
    if not isinstance(value, str):
        raise ValueError("is no text")
    if not value.strip():
        raise ValueError("is empty")
    if clean(value) != value:
        raise ValueError("has control or invisible characters, or is very long")
    return value


def optional_text(value: object) -> str:
    """A text, which may be empty."""
    return "" if value == "" else text(value)


def query(value: object) -> str:
    """PromQL; may run over several lines."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no query")
    return " ".join(text(line.replace("\t", " ")) for line in value.splitlines() if line.strip())


def number(value: object) -> float:
    """A finite number, zero or more."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is no number")
    if not math.isfinite(value) or value < 0:
        raise ValueError("is not a finite number of zero or more")
    return float(value)


def positive(value: object) -> float:
    """A finite number above zero."""
    result = number(value)
    if result <= 0:
        raise ValueError("is not above zero")
    return result


def count(value: object) -> int:
    """A whole number, zero or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is no whole number")
    if not 0 <= value <= 1_000_000:
        raise ValueError("is not between 0 and 1000000")
    return value


def port(value: object) -> int:
    """A TCP port."""
    result = count(value)
    if not 1 <= result <= 65535:
        raise ValueError("is no port")
    return result


def duration(value: object) -> float:
    """Seconds, zero or more, from a number of them or a text like ``1 h 30 min``."""
    if not isinstance(value, str):
        return number(value)
    rest = value.strip().lower()
    total = 0.0
    if not rest:
        raise ValueError("is no duration")
    while rest:
        match = _PART.match(rest)
        unit = match and (_UNITS.get(match[2]) or _UNITS.get(match[2].removesuffix("s")))
        if match is None or not unit:
            raise ValueError("is no duration")
        total += float(match[1]) * unit
        rest = rest[match.end() :]
    return number(total)


def span(value: object) -> float:
    """A duration above zero."""
    return positive(duration(value))


def ratio(value: object) -> float:
    """0 to 1, from such a number or a text like ``80 %``."""
    if isinstance(value, str):
        bare = value.strip()
        if not bare.endswith("%"):
            raise ValueError("is no ratio")
        try:
            result = float(bare[:-1]) / 100
        except ValueError:
            raise ValueError("is no ratio") from None
        # 99.9 / 100 is 0.9990000000000001.
        result = round(result, 12)
    else:
        result = number(value)
    if not 0 <= result <= 1:
        raise ValueError("is not between 0 and 1")
    return result


def window(value: object) -> str:
    """A duration in Prometheus's own writing, ``5m``."""
    if not isinstance(value, str) or not _WINDOW.fullmatch(value):
        raise ValueError("is no duration of Prometheus")
    return value


def window_seconds(value: str) -> float:
    """How long a window is, in seconds."""
    units = {**_UNITS, "y": 365 * 86400.0}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", value))


def severity(value: object) -> str:
    """A severity's name."""
    if value not in ("P0", "P1", "P2", "note"):
        raise ValueError("is no severity")
    return str(value)


def environment_name(value: object) -> str:
    """The name of an environment: typed to arm it, so a plain word."""
    if not isinstance(value, str) or not _ENVIRONMENT.fullmatch(value):
        raise ValueError("is no plain word")
    if value == "rehearsal":
        raise ValueError("is the name of the rehearsal's own environment")
    return value


def url(value: object) -> str:
    """An http or https URL without credentials, query and fragment."""
    raw = text(value)
    try:
        parts = urlsplit(raw)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", raw):
        raise ValueError("is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has credentials in it")
    if parts.query or parts.fragment:
        raise ValueError("has a query or a fragment")
    return raw


def origin(value: object) -> str:
    """A URL without a path."""
    raw = url(value)
    if urlsplit(raw).path not in ("", "/"):
        raise ValueError("has a path")
    return raw.rstrip("/")


def path_on_server(value: object) -> str:
    """A path to ask a server for."""
    raw = text(value)
    if not raw.startswith("/") or re.search(r"\s", raw):
        raise ValueError("is no path that begins with /")
    return raw


def listener(value: object) -> str:
    """``HOST:PORT``; an IPv6 host stands in brackets."""
    match = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["user"] or not match["port"] or not _is_port(match["port"]):
        raise ValueError("is no HOST:PORT")
    return match[0]


def plain_listener(value: object) -> str:
    """``HOST:PORT``, or ``none``."""
    return "none" if value == "none" else listener(value)


def ssh_address(value: object) -> str:
    """``ssh://[USER@]HOST[:PORT]``; nothing that ssh could take for an option."""
    raw = value.removeprefix("ssh://").rstrip("/") if isinstance(value, str) else ""
    match = _PLACE.fullmatch(raw)
    if match is None or value == raw or (match["port"] and not _is_port(match["port"])):
        raise ValueError("is no ssh:// address")
    return f"ssh://{raw}"


def host_address(value: object) -> str:
    """Where a host is: ``local``, or an ssh:// address."""
    return "local" if value == "local" else ssh_address(value)


def engine_address(value: object) -> str:
    """Where the engine listens."""
    raw = text(value)
    scheme, colon, rest = raw.partition(":")
    if scheme == "unix" and rest.startswith("///") and len(rest) > 3:
        return raw
    if scheme == "context" and colon and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]+", rest):
        return raw
    if scheme == "ssh":
        place, slash, socket = raw.removeprefix("ssh://").partition("/")
        return ssh_address(f"ssh://{place}") + (f"/{socket}" if slash and socket else "")
    if scheme == "tcp" and rest.startswith("//"):
        return f"tcp://{listener(rest[2:].rstrip('/'))}"
    raise ValueError("is no address of an engine")


def absolute_path(value: object) -> str:
    """A path on some host, from its root."""
    raw = text(value)
    if not raw.startswith("/"):
        raise ValueError("is no absolute path")
    return raw


def bucket(value: object) -> str:
    """A bucket's name."""
    raw = text(value)
    if not _BUCKET.fullmatch(raw):
        raise ValueError("is no bucket's name (no s3:// and no path belong to it)")
    return raw


def backup_pattern(value: object) -> str:
    """Keys of backups with their time, as :func:`console.model.backups.key_pattern` reads it."""
    raw = text(value)
    if raw.startswith("/") or raw.startswith("s3://"):
        raise ValueError("is no key: begin it without / and without the bucket")
    key_pattern(raw)
    return raw


def _is_port(digits: str) -> bool:
    return 1 <= int(digits) <= 65535
