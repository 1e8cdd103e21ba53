"""The reference production: what runs on prod-1, as data."""

from dataclasses import dataclass
from typing import Final

from console.model.fleet import Port, Role

PROJECT: Final = "shop"
HOST: Final = "prod-1"
DOMAIN: Final = "www.shop.example"
REGISTRY: Final = "registry.shop.example"
DIRECTORY: Final = "/srv/shop"
BUCKET: Final = "shop-backups"
BACKUP_PATTERN: Final = "database/shop_prod_%Y%m%d_%H%M%S.backup"
DATABASE_CONNECTIONS: Final = 200

MIB: Final = 1 << 20
GIB: Final = 1 << 30
DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Part:
    """One service of the stack and what its replicas are like."""

    name: str
    role: Role
    repository: str
    tag: str
    memory: int
    """Bytes that a replica uses, about."""
    cpu: float
    """Cores that a replica uses at the busiest hour, about."""
    age: float
    """Seconds for which its replicas had been running when the world started."""
    numbers: tuple[int, ...] = (1,)
    checked: bool = False
    memory_limit: int | None = None
    cpu_limit: float | None = None
    memory_reservation: int | None = None
    ports: tuple[tuple[Port, ...], ...] = ()
    """Published ports, replica by replica."""
    mounts: tuple[tuple[str, str, bool], ...] = ()
    """(source, target, read-only)."""
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Key of its service."""
        return f"{PROJECT}/{self.name}"


def _web(address: str) -> tuple[Port, ...]:
    return (Port(80, "tcp", address, 80), Port(443, "tcp", address, 443))


def _loopback(port: int) -> tuple[tuple[Port, ...], ...]:
    return ((Port(port, "tcp", "127.0.0.1", port),),)


EDGE_ADDRESSES: Final = ("203.0.113.10", "203.0.113.11")
"""Where the two edges listen (a block for documentation, RFC 5737)."""

NGINX: Final = Part(
    "nginx", Role.EDGE, "nginx", "1.27.5", 31 * MIB, 0.05, 9 * DAY, (1, 2), True,
    512 * MIB, 1.0,
    ports=tuple(_web(address) for address in EDGE_ADDRESSES),
    mounts=(
        (f"{DIRECTORY}/nginx", "/etc/nginx/conf.d", True),
        (f"{DIRECTORY}/certificates", "/etc/letsencrypt", True),
    ),
)  # fmt: skip
BACKEND: Final = Part(
    "backend", Role.BACKEND, f"{REGISTRY}/shop/backend", "v1.2.3", 430 * MIB, 0.42, 9 * DAY,
    (4, 5, 6), True, 2 * GIB, 2.0, 1 * GIB,
    mounts=(("shop_uploads", "/app/uploads", False),),
    environment=(
        ("APP_ENV", "production"),
        ("DATABASE_URL", "***"),
        ("REDIS_URL", "***"),
        ("SECRET_KEY", "***"),
        ("BCRYPT_ROUNDS", "14"),
        ("WORKERS", "4"),
    ),
)  # fmt: skip
POSTGRES: Final = Part(
    "postgres", Role.DATABASE, "postgres", "16.9-alpine", 1230 * MIB, 0.62, 23 * DAY,
    checked=True, memory_limit=4 * GIB, cpu_limit=4.0,
    mounts=(("shop_postgres", "/var/lib/postgresql/data", False),),
    environment=(
        ("POSTGRES_DB", "shop"), ("POSTGRES_USER", "shop"), ("POSTGRES_PASSWORD", "***"),
    ),
)  # fmt: skip
REDIS: Final = Part(
    "redis", Role.CACHE, "redis", "7.4-alpine", 88 * MIB, 0.03, 23 * DAY,
    checked=True, memory_limit=512 * MIB, cpu_limit=1.0,
    mounts=(("shop_redis", "/data", False),),
)  # fmt: skip
PARTS: Final = (
    NGINX,
    BACKEND,
    POSTGRES,
    REDIS,
    Part(
        "prometheus", Role.MONITORING, "prom/prometheus", "v3.5.0", 610 * MIB, 0.08, 23 * DAY,
        checked=True, memory_limit=2 * GIB, ports=_loopback(9090),
        mounts=((f"{DIRECTORY}/prometheus", "/etc/prometheus", True),),
    ),
    Part(
        "alertmanager", Role.MONITORING, "prom/alertmanager", "v0.28.1", 27 * MIB, 0.01,
        23 * DAY, checked=True, ports=_loopback(9093),
    ),
    Part(
        "grafana", Role.MONITORING, "grafana/grafana", "12.0.2", 118 * MIB, 0.02, 23 * DAY,
        checked=True, memory_limit=512 * MIB, ports=_loopback(3000),
        environment=(("GF_SECURITY_ADMIN_PASSWORD", "***"),),
    ),
    Part(
        "node-exporter", Role.MONITORING, "prom/node-exporter", "v1.9.1", 19 * MIB, 0.01, 23 * DAY,
        mounts=(("/", "/host", True),),
    ),
    Part(
        "postgres-exporter", Role.MONITORING, "prometheuscommunity/postgres-exporter", "v0.17.1",
        17 * MIB, 0.01, 23 * DAY, environment=(("DATA_SOURCE_NAME", "***"),),
    ),
    Part(
        "redis-exporter", Role.MONITORING, "oliver006/redis_exporter", "v1.74.0", 12 * MIB, 0.01,
        23 * DAY,
    ),
    Part(
        "certbot", Role.OTHER, "certbot/certbot", "v4.1.1", 14 * MIB, 0.0, 23 * DAY,
        mounts=((f"{DIRECTORY}/certificates", "/etc/letsencrypt", False),),
    ),
    Part(
        "backup-cron", Role.OTHER, f"{REGISTRY}/shop/backup-cron", "v1.4.0", 9 * MIB, 0.0,
        23 * DAY,
        environment=(
            ("POSTGRES_HOST", "postgres"), ("POSTGRES_USER", "shop"), ("POSTGRES_DB", "shop"),
            ("PGPASSWORD", "***"), ("S3_BUCKET", BUCKET),
        ),
    ),
)  # fmt: skip


def address(part: Part, number: int) -> str:
    """The address of a running replica in the project's network."""
    first = 2 + sum(len(other.numbers) for other in PARTS[: PARTS.index(part)])
    return f"172.20.0.{first + part.numbers.index(number)}"
