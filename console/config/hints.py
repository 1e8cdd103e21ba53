"""What the variables of a stack say about its domain and its backups. Holds no secret."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from console.config import dotenv, values
from console.model.fleet import Service
from console.secret import MASK
from console.text import clean

_SECRET_NAME: Final = re.compile(r"SECRET|PASS|TOKEN|KEY|DSN|CREDENTIAL|AUTH", re.IGNORECASE)
_USEFUL: Final = re.compile(
    r"BUCKET|REGION|ENDPOINT|DOMAIN|SERVER_NAME|HOST|URL|PREFIX|ADDRESS", re.IGNORECASE
)
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]+", re.I)

KEY_ID: Final = "AWS_ACCESS_KEY_ID"
KEY_SECRET: Final = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable

DOMAIN_NAMES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"DOMAIN(_NAME)?",
        r"(?!.*(COOKIE|MAIL|SMTP|SESSION)).*_DOMAIN(_NAME)?",
        r"(NGINX_)?SERVER_NAMES?",
        r"VIRTUAL_HOST|LETSENCRYPT_HOST|NGINX_HOST|PUBLIC_HOST|SITE_ADDRESS",
        r"(DJANGO_)?ALLOWED_HOSTS?",
        r"(PUBLIC|SITE|BASE|APP|API|EXTERNAL)_URL",
    )
)
BUCKET_NAMES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"BACKUPS?_S3_BUCKET(_NAME)?",
        r"(?=.*BACKUP).*BUCKET.*",
        r"S3_BUCKET(_NAME)?",
        r"(?!.*(UPLOAD|MEDIA|STATIC|ASSET|PHOTO|PUBLIC)).*S3_BUCKET(_NAME)?",
    )
)
REGION_NAMES: Final = tuple(
    re.compile(pattern)
    for pattern in (r"BACKUPS?_(S3_)?REGION", r".*S3_REGION", r"AWS_REGION", r"AWS_DEFAULT_REGION")
)
ENDPOINT_NAMES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"BACKUPS?_(S3_)?ENDPOINT(_URL)?",
        r".*S3_ENDPOINT.*",
        r"AWS_ENDPOINT_URL_S3",
        r"AWS_ENDPOINT_URL",
    )
)
PREFIX_NAMES: Final = (re.compile(r"BACKUPS?_(S3_)?PREFIX"), re.compile(r"S3_BACKUPS?_PREFIX"))


@dataclass(frozen=True, slots=True)
class Variables:
    """Variables of one origin: an env file, or a container."""

    origin: str
    """In words: ``/srv/shop/.env.prod``, ``container shop-nginx-1``."""
    values: Mapping[str, str]
    """Those that may tell something, never one that looks like a secret."""
    names: frozenset[str] = frozenset()
    """All of them."""
    path: str = ""
    """Of an env file."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A value and from where it came."""

    value: str
    why: str


def env_file_variables(path: str, text: str) -> Variables:
    """The variables of an env file."""
    found = dotenv.parse(text)
    return Variables(clean(path), _useful(found), frozenset(found), path)


def certificate_names(edge: str, names: Sequence[str]) -> Variables:
    """The names of a certificate; one with a wildcard names no host."""
    whole = ",".join(name for name in names if "*" not in name)
    return Variables(f"the certificate that {edge} serves", {"SERVER_NAMES": whole})


def service_variables(services: Iterable[Service]) -> tuple[Variables, ...]:
    """The variables of each service's first replica."""
    return tuple(
        Variables(
            f"container {service.current[0].name}",
            _useful(dict(service.current[0].environment)),
            frozenset(name for name, _ in service.current[0].environment),
        )
        for service in services
        if service.current
    )


def find(
    sources: Sequence[Variables],
    names: Sequence[re.Pattern[str]],
    accept: Callable[[str], str | None],
) -> Hint | None:
    """The first acceptable value: the likeliest name wins, then the first source."""
    for pattern in names:
        for source in sources:
            for name, raw in sorted(source.values.items()):
                value = accept(raw) if pattern.fullmatch(name.upper()) else None
                if value:
                    return Hint(value, f"{clean(name)} of {source.origin}")
    return None


def domain(raw: str) -> str | None:
    """The first usable domain of a list, of a URL or of a host name with a wildcard."""
    for part in re.split(r"[,;\s|]+", raw.strip()):
        try:
            host = urlsplit(part).hostname if "://" in part else part
        except ValueError:
            continue
        bare = (host or "").removeprefix("*.").removeprefix(".").partition(":")[0].lower()
        if _DOMAIN.fullmatch(bare) and len(bare) <= 253:
            return bare
    return None


def bucket(raw: str) -> str | None:
    """A bucket's name, from ``name`` or ``s3://name/prefix``."""
    return _checked(values.bucket, raw.removeprefix("s3://").partition("/")[0])


def prefix(raw: str) -> str | None:
    """A prefix of keys, without slashes around it."""
    found = raw.strip("/")
    return found if found and not re.search(r"[%*\s]", found) and clean(found) == found else None


def bucket_prefix(raw: str) -> str | None:
    """The prefix in ``s3://name/prefix``."""
    return prefix(raw.partition("/")[2]) if (raw := raw.removeprefix("s3://")) else None


def region(raw: str) -> str | None:
    """A region's name."""
    return raw if re.fullmatch(r"[a-z0-9-]{2,40}", raw) else None


def endpoint(raw: str) -> str | None:
    """An endpoint's URL."""
    return _checked(values.url, raw.rstrip("/"))


def _checked(convert: Callable[[object], str], raw: str) -> str | None:
    try:
        return convert(raw)
    except ValueError:
        return None


def _useful(found: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in found.items()
        if _USEFUL.search(name)
        and not _SECRET_NAME.search(name)
        and value
        and value != MASK
        and "@" not in value
        and len(value) < 2000
    }
