"""Discovery over stacks of several shapes and names."""

from dataclasses import replace
from pathlib import Path

import pytest

from console.config.carry import carry_over
from console.config.discovery import Discovery, Seen, discover
from console.config.environment import (
    HERE,
    EngineConfig,
    Environment,
    HostConfig,
    HttpConfig,
    SecretRef,
    written,
)
from console.config.hints import Variables, env_file_variables
from console.config.load import load_config
from console.config.roles import assign_roles
from console.config.write import render
from console.model.fleet import (
    Fleet,
    Health,
    Image,
    Node,
    Port,
    Replica,
    Role,
    Service,
    ServiceKind,
    State,
)

LOCAL = HostConfig("prod-1", "local")
REMOTE = HostConfig("prod-1", "ssh://deploy@prod-1")


def service(
    key: str,
    image: str,
    count: int = 1,
    *,
    ports: tuple[tuple[int, str, int], ...] = (),
    each: bool = False,
    check: bool = False,
    networks: tuple[str, ...] = ("shop_default",),
    nodes: tuple[str, ...] = (),
    environment: tuple[tuple[str, str], ...] = (),
    one_shot: bool = False,
) -> Service:
    """A service of `count` replicas. `each`: every replica has host ports of its own."""
    swarm = "/" not in key
    project, _, name = key.partition("_" if swarm else "/")
    replicas = tuple(
        Replica(
            id=f"{key}-{number}",
            name=f"{key}.{number}" if swarm else f"{project}-{name}-{number}",
            service=key,
            image=Image(image),
            state=State.RUNNING,
            health=Health.HEALTHY if check else Health.UNCHECKED,
            node=nodes[(number - 1) % len(nodes)] if nodes else "prod-1",
            slot=number,
            addresses={network: f"172.18.{len(key)}.{number + 1}" for network in networks},
            ports=tuple(
                Port(inner, "tcp", host, outer + (number - 1 if each else 0))
                for inner, host, outer in ports
            ),
            environment=environment,
        )
        for number in range(1, count + 1)
    )
    kind = ServiceKind.SWARM if swarm else ServiceKind.COMPOSE
    return Service(
        key,
        name,
        kind,
        replicas,
        project,
        declared=count,
        healthcheck=check,
        one_shot=one_shot,
    )


def found(
    *services: Service,
    host: HostConfig | None = LOCAL,
    files: tuple[Variables, ...] = (),
    engine: str = "unix:///var/run/docker.sock",
    nodes: tuple[Node, ...] = (),
    answering: dict[int, str] | None = None,
) -> Discovery:
    fleet = Fleet("prod-1", "26.1.5", services, nodes, swarm=bool(nodes))
    seen = Seen(fleet, EngineConfig(engine), "DOCKER_HOST", host, files, answering=answering or {})
    result = discover(seen)
    explained(result)
    return result


def explained(result: Discovery) -> None:
    """Nothing is guessed silently."""
    environment = result.environment
    for index, edge in enumerate(environment.edges):
        for key in ("url", "connect", "http_connect", "name"):
            assert result.reasons[f"edges[{index}].{key}"], edge
    for name in ("prometheus", "alertmanager"):
        if getattr(environment, name) is not None:
            assert result.reasons[f"{name}.url"]
    if environment.backups is not None:
        assert result.reasons["backups.bucket"] and result.reasons["backups.pattern"]
    if environment.backend:
        assert result.reasons["backend"]


def test_two_productions_on_one_engine_are_told_apart() -> None:
    front = {"ports": ((443, "127.0.0.1", 28443),), "networks": ("orbit_n1",)}
    core = service("orbit/core", "acme/core:1", 3, check=True, networks=("orbit_n1",))
    other = (core, service("orbit/gateway", "nginx:1", **front))  # type: ignore[arg-type]
    both = found(*REFERENCE, *other)
    (told,) = [doubt for doubt in both.doubts if "cofa init --project" in doubt]
    assert told.startswith("orbit: a production of its own beside shop")
    fleet = assign_roles(Fleet("prod-1", "1", (*REFERENCE, *other)), both.environment)
    backends = [s.key for s in fleet.services if s.role is Role.BACKEND]
    assert backends == ["shop/backend", "orbit/core"]
    proxy = service("proxy/traefik", "traefik:3", ports=((443, "0.0.0.0", 443),))
    assert not [d for d in found(*REFERENCE, proxy).doubts if "--project" in d]


REFERENCE = (
    service("shop/backend", "registry/shop/backend:v1.2.3", 3, check=True),
    service(
        "shop/nginx",
        "nginx:1.27",
        2,
        ports=((443, "0.0.0.0", 8443), (80, "0.0.0.0", 8080)),
        each=True,
    ),
    service("shop/postgres", "postgres:16-alpine", check=True),
    service("shop/redis", "redis:7", check=True),
    service("shop/postgres-exporter", "prometheuscommunity/postgres-exporter"),
    service("shop/redis-exporter", "oliver006/redis_exporter"),
    service("shop/prometheus", "prom/prometheus:v2", ports=((9090, "127.0.0.1", 9090),)),
    service("shop/alertmanager", "prom/alertmanager"),
    service("shop/grafana", "grafana/grafana", ports=((3000, "127.0.0.1", 3000),)),
    service(
        "shop/backup-cron",
        "alpine:latest",
        environment=(("AWS_SECRET_ACCESS_KEY", "***"), ("BACKUP_S3_BUCKET", "from-container")),
    ),
    service("shop/certbot", "certbot/certbot", one_shot=True),
)
ENV_FILE = env_file_variables(
    "/srv/shop/.env.prod",
    """
DOMAIN=api.example.com
SMTP_DOMAIN=mail.example.com
BACKUP_S3_BUCKET=shop-backups
BACKUP_S3_REGION=eu-central-1
AWS_ACCESS_KEY_ID=AKIA-hunter2
AWS_SECRET_ACCESS_KEY=hunter2
DATABASE_URL=postgresql://shop:hunter2@postgres/shop
REDIS_PASSWORD=hunter2
""",
)


def test_the_reference_stack_over_compose() -> None:
    result = found(*REFERENCE, files=(ENV_FILE,))
    environment = result.environment
    assert environment.backend == "shop/backend"
    assert environment.hosts == (LOCAL,)
    assert [(e.name, e.url, e.connect, e.http_connect, e.replica) for e in environment.edges] == [
        ("nginx-1", "https://api.example.com", "127.0.0.1:8443", "127.0.0.1:8080", "shop-nginx-1"),
        ("nginx-2", "https://api.example.com", "127.0.0.1:8444", "127.0.0.1:8081", "shop-nginx-2"),
    ]
    assert environment.prometheus == HttpConfig("http://127.0.0.1:9090", HERE)
    assert environment.alertmanager is not None
    assert environment.alertmanager.url == "http://172.18.17.2:9093"
    assert "changes when it is made anew" in result.reasons["alertmanager.url"]
    backups = environment.backups
    assert backups is not None
    assert backups.bucket == "shop-backups"
    assert backups.region == "eu-central-1"
    assert backups.pattern == "database/*_%Y%m%d_%H%M%S.backup"
    assert backups.secret_key == SecretRef(
        env_file=Path("/srv/shop/.env.prod"), key="AWS_SECRET_ACCESS_KEY"
    )
    assert "DOMAIN of /srv/shop/.env.prod" in result.reasons["edges[0].url"]
    assert environment.discovered


def test_no_secret_gets_into_what_discovery_knows() -> None:
    result = found(*REFERENCE, files=(ENV_FILE,))
    assert "hunter2" not in repr(result) + repr(ENV_FILE) + render(result)


def test_roles_of_the_reference_stack() -> None:
    environment = found(*REFERENCE, files=(ENV_FILE,)).environment
    fleet = assign_roles(Fleet("prod-1", "26", REFERENCE), environment)
    assert {service.name: service.role.value for service in fleet.services} == {
        "backend": "backend",
        "nginx": "edge",
        "postgres": "database",
        "redis": "cache",
        "postgres-exporter": "monitoring",
        "redis-exporter": "monitoring",
        "prometheus": "monitoring",
        "alertmanager": "monitoring",
        "grafana": "monitoring",
        "backup-cron": "other",
        "certbot": "other",
    }


def test_over_ssh_everything_goes_through_the_engines_host() -> None:
    environment = found(
        *REFERENCE, host=REMOTE, engine="ssh://deploy@prod-1", files=(ENV_FILE,)
    ).environment
    assert environment.hosts == (REMOTE,)
    assert {edge.through for edge in environment.edges} == {"prod-1"}
    assert environment.prometheus == HttpConfig("http://127.0.0.1:9090", "prod-1")
    assert environment.backups is not None and environment.backups.secret_key is not None
    assert environment.backups.secret_key.host == "prod-1"


def test_over_tcp_only_published_ports_are_used() -> None:
    result = found(*REFERENCE, host=None, engine="tcp://10.0.0.9:2376")
    environment = result.environment
    assert [edge.connect for edge in environment.edges] == ["10.0.0.9:8443", "10.0.0.9:8444"]
    assert environment.alertmanager is None
    assert environment.hosts == ()
    assert any("TCP only" in doubt for doubt in result.doubts)


def test_other_names_and_images_of_ones_own() -> None:
    result = found(
        service("plaza/web", "registry.example/hotel/storefront:7", 4, check=True),
        service("plaza/front", "registry.example/hotel/edge:7", ports=((443, "", 443),)),
        service("plaza/jobs", "registry.example/hotel/storefront:7", 6),
        service("plaza/store", "registry.example/hotel/pg:16"),
    )
    assert result.environment.backend == "plaza/web"
    (edge,) = result.environment.edges
    assert (edge.name, edge.connect, edge.http_connect) == ("front", "127.0.0.1:443", "none")
    assert edge.url == "https://127.0.0.1"
    assert any("no domain" in doubt for doubt in result.doubts)


def test_a_stack_behind_traefik_with_an_inner_nginx() -> None:
    result = found(
        service(
            "app/traefik",
            "traefik:v3",
            ports=((80, "0.0.0.0", 80), (443, "0.0.0.0", 443), (8080, "127.0.0.1", 8080)),
        ),
        service("app/frontend", "nginx:alpine", 2),
        service("app/api", "ghcr.io/acme/api:2", 3, environment=(("DOMAIN", "acme.io"),)),
        service("app/worker", "ghcr.io/acme/api:2", 5),
        service("app/db", "ghcr.io/acme/data:1"),
    )
    environment = result.environment
    assert environment.backend == "app/api"
    (edge,) = environment.edges
    assert (edge.name, edge.url) == ("traefik", "https://acme.io")
    assert (edge.connect, edge.http_connect) == ("127.0.0.1:443", "127.0.0.1:80")
    roles = {
        s.name: s.role
        for s in assign_roles(
            Fleet(
                "",
                "",
                (
                    service("app/frontend", "nginx:alpine", 2),
                    service("app/traefik", "traefik:v3"),
                ),
            ),
            environment,
        ).services
    }
    assert roles == {"frontend": Role.OTHER, "traefik": Role.EDGE}


def test_no_edge_means_the_backends_own_port() -> None:
    result = found(service("one/app", "acme/app", ports=((8000, "0.0.0.0", 8000),), check=True))
    environment = result.environment
    assert environment.backend == "one/app"
    (edge,) = environment.edges
    assert (edge.url, edge.connect, edge.replica) == (
        "http://127.0.0.1:8000",
        "127.0.0.1:8000",
        "",
    )
    assert "no edge stands in front" in result.reasons["edges[0].name"]
    assert environment.prometheus is None and environment.backups is None
    assert any("prometheus" in doubt for doubt in result.doubts)


def test_a_backend_that_nobody_can_reach_has_no_edge() -> None:
    result = found(service("one/app", "acme/app", 2, check=True))
    assert result.environment.edges == ()
    assert any("no edge" in doubt for doubt in result.doubts)


def test_an_edge_known_by_its_ports_alone() -> None:
    result = found(
        service("s/nest", "acme/nest", 3, check=True),
        service("s/hull", "acme/hull", ports=((8443, "0.0.0.0", 443), (8080, "0.0.0.0", 80))),
    )
    assert result.environment.backend == "s/nest"
    (edge,) = result.environment.edges
    assert (edge.name, edge.connect, edge.http_connect) == (
        "hull",
        "127.0.0.1:443",
        "127.0.0.1:80",
    )


def test_two_projects_are_both_watched_and_the_choice_is_told() -> None:
    result = found(
        service("blog/web", "acme/blog", 2, check=True),
        service("shop/api", "acme/shop", 3, check=True),
        service("shop/proxy", "haproxy:3", ports=((443, "0.0.0.0", 443), (8404, "", 8404))),
        service("blog/prometheus", "prom/prometheus", ports=((9090, "127.0.0.1", 9091),)),
        service("shop/prometheus", "prom/prometheus", ports=((9090, "127.0.0.1", 9090),)),
    )
    environment = result.environment
    assert environment.backend == "shop/api"
    assert "blog/web" in result.reasons["backend"]
    assert result.reasons["projects"] == "all: blog, shop"
    assert environment.projects == ()
    assert environment.prometheus == HttpConfig("http://127.0.0.1:9090")
    assert environment.edges[0].http_connect == "none"


NODES = tuple(
    Node(f"id{n}", f"prod-{n}", "manager", "ready", "active", f"10.0.0.{n}") for n in (1, 2, 3)
)


def test_a_swarm_with_an_edge_on_each_node() -> None:
    result = found(
        service("plaza_api", "acme/api:3", 3, check=True, nodes=("prod-1", "prod-2", "prod-3")),
        service(
            "plaza_edge",
            "acme/edge:1",
            2,
            ports=((443, "0.0.0.0", 443), (80, "0.0.0.0", 80)),
            nodes=("prod-1", "prod-3"),
        ),
        service(
            "plaza_prometheus", "prom/prometheus", ports=((9090, "", 9090),), nodes=("prod-2",)
        ),
        service("plaza_alertmanager", "prom/alertmanager", nodes=("prod-2",)),
        nodes=NODES,
    )
    environment = result.environment
    assert environment.backend == "plaza_api"
    assert [(e.name, e.connect, e.replica) for e in environment.edges] == [
        ("edge.1", "10.0.0.1:443", "plaza_edge.1"),
        ("edge.2", "10.0.0.3:443", "plaza_edge.2"),
    ]
    assert environment.prometheus == HttpConfig("http://10.0.0.2:9090")
    # Its address on another node's overlay cannot be reached from here.
    assert environment.alertmanager is None
    assert any("prod-2, prod-3" in doubt for doubt in result.doubts)


def test_replicas_behind_the_swarms_ingress_are_one_edge() -> None:
    result = found(
        service("plaza_api", "acme/api:3", 3, check=True),
        service("plaza_edge", "acme/edge:1", 2, ports=((443, "0.0.0.0", 443),)),
        nodes=NODES[:1],
    )
    (edge,) = result.environment.edges
    assert (edge.name, edge.connect, edge.replica) == ("edge", "10.0.0.1:443", "")
    assert "2 replicas share" in result.reasons["edges[0].connect"]


def test_an_edge_on_the_hosts_network() -> None:
    edge = service("s/nginx", "nginx", networks=())
    result = found(service("s/api", "acme/api", 2), edge)
    assert result.environment.edges[0].connect == "127.0.0.1:80"
    assert "assumed" in result.reasons["edges[0].connect"]


def test_a_server_beside_docker_is_found_by_its_usual_port() -> None:
    result = found(
        *REFERENCE[:2],
        host=REMOTE,
        engine="ssh://deploy@prod-1",
        answering={9090: "Prometheus answers"},
    )
    assert result.environment.prometheus == HttpConfig("http://127.0.0.1:9090", "prod-1")
    assert result.environment.alertmanager is None


def test_an_s3_server_of_the_stack_is_asked_where_it_is_published() -> None:
    files = env_file_variables(
        "/srv/.env", "S3_BUCKET=s3://dumps/pg/nightly\nS3_ENDPOINT=http://minio:9000\n"
    )
    result = found(
        *REFERENCE[:1],
        service("shop/minio", "minio/minio", ports=((9000, "127.0.0.1", 19000),)),
        files=(files,),
    )
    backups = result.environment.backups
    assert backups is not None
    assert backups.bucket == "dumps"
    assert backups.endpoint == "http://127.0.0.1:19000"
    assert backups.pattern == "pg/nightly/*_%Y%m%d_%H%M%S.backup"
    assert backups.access_key is None
    assert "usual places" in result.reasons["backups.bucket"]


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("ALLOWED_HOSTS=*,.example.com,api.example.com", "example.com"),
        ("ALLOWED_HOSTS=localhost,127.0.0.1", None),
        ("SERVER_NAME=_", None),
        ("SITE_URL=https://shop.example.com:8443/x", "shop.example.com"),
        ("COOKIE_DOMAIN=example.com", None),
        ("DOMAIN=evil.example.com\x1b[31m", None),
        ("DOMAIN=${OTHER}", None),
        ("API_DOMAIN=api.example.com\nDOMAIN=example.com", "example.com"),
        ("DATABASE_URL=http://user:pw@db.example.com", None),
    ],
)
def test_domains(text: str, domain: str | None) -> None:
    result = found(*REFERENCE[:2], files=(env_file_variables("/x/.env", text),))
    expected = f"https://{domain}" if domain else "https://127.0.0.1:8443"
    assert result.environment.edges[0].url == expected


def test_nothing_at_all() -> None:
    result = found()
    assert result.environment == Environment(
        "production",
        EngineConfig("unix:///var/run/docker.sock"),
        hosts=(LOCAL,),
        discovered=True,
    )
    assert len(result.doubts) >= 4


@pytest.mark.parametrize(
    ("services", "host", "engine"),
    [
        (REFERENCE, LOCAL, "unix:///var/run/docker.sock"),
        (REFERENCE, REMOTE, "ssh://deploy@prod-1"),
        (REFERENCE, None, "tcp://127.0.0.1:2375"),
        ((), LOCAL, "unix:///var/run/docker.sock"),
    ],
)
def test_what_is_written_reads_back_the_same(
    tmp_path: Path, services: tuple[Service, ...], host: HostConfig | None, engine: str
) -> None:
    result = found(*services, host=host, engine=engine, files=(ENV_FILE,))
    path = tmp_path / "cofa.toml"
    path.write_text(render(result), encoding="utf-8")
    config = load_config(path)
    assert config.environments["production"] == written(result.environment)
    assert config.default == "production"


def test_every_reason_and_doubt_is_in_the_file() -> None:
    result = found(*REFERENCE, files=(ENV_FILE,))
    text = " ".join(render(result).replace("#", " ").split())
    for reason in (*result.reasons.values(), *result.doubts):
        assert " ".join(reason.split()) in text


def test_hostile_names_stay_inside_their_strings_and_comments(tmp_path: Path) -> None:
    evil = 'x"\n[environments.production.policy]\np95 = 99\n#'
    result = found(service(f"shop/{evil}", "acme/api", 3, check=True))
    result = replace(
        result,
        environment=replace(result.environment, backend="a\\b\"c'd"),
        reasons={**result.reasons, "backend": evil},
        doubts=(*result.doubts, evil),
    )
    path = tmp_path / "cofa.toml"
    path.write_text(render(result), encoding="utf-8")
    production = load_config(path).environments["production"]
    assert production.backend == "a\\b\"c'd"
    assert production.policy.p95 == 2.0


def stopped(*names: str) -> tuple[Service, ...]:
    """The reference stack with these services stopped: they publish nothing then."""
    return tuple(
        replace(
            service,
            replicas=tuple(
                replace(replica, state=State.EXITED, ports=(), addresses={})
                for replica in service.replicas
            ),
        )
        if service.name in names
        else service
        for service in REFERENCE
    )


def test_what_is_only_down_stays_in_a_discovered_environment() -> None:
    before = found(*REFERENCE, files=(ENV_FILE,)).environment
    services = stopped("nginx", "prometheus", "alertmanager", "backend")
    now = found(*services).environment
    assert now.edges == () and now.prometheus is None and now.backups is not None
    fleet = Fleet("prod-1", "26", services)
    kept = carry_over(before, now, fleet, files_read=False)
    assert kept.edges == before.edges
    assert kept.prometheus == before.prometheus
    assert kept.alertmanager == before.alertmanager
    assert kept.backend == before.backend


def test_edges_that_do_not_run_are_a_doubt() -> None:
    result = found(*stopped("nginx"), files=(ENV_FILE,))
    assert any(doubt.startswith("nginx: 0 of 2 replicas run") for doubt in result.doubts)


def test_what_was_removed_is_gone() -> None:
    before = found(*REFERENCE, files=(ENV_FILE,)).environment
    services = (REFERENCE[0],)
    kept = carry_over(
        before, found(*services).environment, Fleet("", "", services), files_read=True
    )
    assert kept.edges == () and kept.prometheus is None and kept.backups is None


def test_one_stopped_edge_of_two_stays() -> None:
    before = found(*REFERENCE, files=(ENV_FILE,)).environment
    nginx = REFERENCE[1]
    half = replace(
        nginx,
        replicas=(nginx.replicas[0], replace(nginx.replicas[1], state=State.EXITED, ports=())),
    )
    services = (REFERENCE[0], half, *REFERENCE[2:])
    now = found(*services, files=(ENV_FILE,)).environment
    assert len(now.edges) == 1
    kept = carry_over(before, now, Fleet("", "", services), files_read=True)
    assert kept.edges == before.edges


def test_unread_env_files_keep_the_bucket_and_are_a_doubt() -> None:
    before = found(*REFERENCE, files=(ENV_FILE,)).environment
    services = REFERENCE[:2]
    fleet = Fleet("prod-1", "26", services)
    seen = Seen(fleet, EngineConfig(), "why", LOCAL, env_doubts=("env files were not read: x",))
    now = discover(seen)
    assert not now.files_read and "env files were not read: x" in now.doubts
    kept = carry_over(before, now.environment, fleet, files_read=now.files_read)
    assert kept.backups == before.backups


def test_an_edge_is_asked_what_the_backends_own_check_asks() -> None:
    asked = replace(service("shop/core", "acme/core", 3, check=True), health_path="/api/ready")
    edge = service("shop/front", "nginx", ports=((443, "0.0.0.0", 443),))
    result = found(asked, edge)
    assert [one.health for one in result.environment.edges] == ["/api/ready"]
    assert result.reasons["edges[0].health"] == "what the check of core asks"
    assert [one.health for one in found(*REFERENCE).environment.edges] == ["/health", "/health"]
