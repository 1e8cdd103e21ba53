"""stand.json: everything a test must know, written when all of it answers."""

from __future__ import annotations

import json
from pathlib import Path

import images
from engines import Engine
from layout import DOMAIN, PROJECT, STACK, Layout, Node
from production import BUCKET, PREFIX, REGION, Production, read_env

SCHEMA = 1


def write(path: Path, content: object) -> None:
    """By rename: a reader sees the old file or the new one."""
    fresh = path.with_suffix(".part")
    fresh.write_text(json.dumps(content, indent=2) + "\n")
    fresh.chmod(0o600)
    fresh.replace(path)


def stand(production: Production, nodes: list[Node]) -> dict[str, object]:
    layout = production.layout
    return {
        "schema": SCHEMA,
        "root": str(layout.root),
        "docker": docker(production.engine),
        "compose": compose(production),
        "edges": edges(layout),
        "prometheus": {
            "url": f"http://127.0.0.1:{layout.ports.prometheus}",
            "rules_dir": str(layout.shop / "prometheus/rules"),
        },
        "alertmanager": {"url": f"http://127.0.0.1:{layout.ports.alertmanager}"},
        "s3": s3(production),
        "ssh": ssh(layout),
        "registry": layout.registry,
        "images": variants(production.engine),
        "postgres": database(production, "postgres"),
        "redis": database(production, "redis"),
        "swarm": swarm(layout, nodes) if nodes else None,
        "logs": str(layout.logs),
        "aws": str(layout.venv / "bin/aws"),
    }


def docker(engine: Engine) -> dict[str, object]:
    return {
        "host": engine.address,
        "socket": str(engine.socket),
        "tcp_host": engine.tcp_address,
        "cert_path": str(engine.layout.keys / "docker"),
        "client": "/usr/bin/docker",
        "data_root": str(engine.home / "data"),
        "dockerd_pid_file": str(engine.home / "dockerd.pid"),
    }


def compose(production: Production) -> dict[str, object]:
    layout = production.layout
    return {
        "project": PROJECT,
        "directory": str(layout.shop),
        "files": [str(layout.shop / "compose.yaml")],
        "env_file": str(production.env_file),
        "tag_variable": "BACKEND_TAG",
        "services": sorted({row["Service"] for row in production.containers()}),
        "backend": "backend",
        "edges": ["edge-a", "edge-b"],
        "replicas": 3,
    }


def edges(layout: Layout) -> list[dict[str, object]]:
    ports, upstreams = layout.ports, str(layout.shop / "edge-a/upstreams")
    a = edge(layout, "edge-a", "127.0.0.1", ports.edge_a_https, ports.edge_a_http)
    b = edge(layout, "edge-b", "127.0.0.1", ports.edge_b_https, ports.edge_b_http)
    return [{**a, "upstreams_dir": upstreams}, b]


def edge(layout: Layout, service: str, host: str, https: int, http: int) -> dict[str, object]:
    return {
        "service": service,
        "host": host,
        "https_port": https,
        "http_port": http,
        "https": f"https://{host}:{https}",
        "http": f"http://{host}:{http}",
        "domain": DOMAIN,
        "ca_file": str(layout.keys / "ca.pem"),
        "upstreams_dir": None,
    }


def swarm(layout: Layout, nodes: list[Node]) -> dict[str, object]:
    """The same fields for one node and for three."""
    service = f"{STACK}_edge"
    return {
        "stack": STACK,
        "backend": f"{STACK}_backend",
        "edge": service,
        "replicas": 3,
        "nodes": [node_of(layout, node) for node in nodes],
        "edges": [edge(layout, service, node.address, 443, 80) for node in nodes],
    }


def node_of(layout: Layout, node: Node) -> dict[str, str]:
    engine = Engine(layout, node)
    return {
        "name": node.name,
        "role": "manager" if node.number == 1 else "worker",
        "address": node.address,
        "docker_host": engine.address,
        "socket": str(engine.socket),
        "namespace": node.namespace,
        "ssh_alias": f"stand-{node.name}",
    }


def s3(production: Production) -> dict[str, object]:
    values = read_env(production.env_file)
    return {
        "endpoint": values["BACKUP_S3_ENDPOINT"],
        "bucket": BUCKET,
        "prefix": PREFIX,
        "region": REGION,
        "access_key": values["AWS_ACCESS_KEY_ID"],
        "secret_key": values["AWS_SECRET_ACCESS_KEY"],
        "denied_bucket": "shop-denied",
        "crowded_bucket": "shop-crowded",
    }


def ssh(layout: Layout) -> dict[str, object]:
    keys = layout.keys
    return {
        "host": "127.0.0.1",
        "port": layout.ports.ssh,
        "user": "root",
        "alias": "stand-prod",
        "jump_alias": "stand-jump",
        "changed_alias": "stand-changed",
        "unknown_alias": "stand-unknown",
        "refused_alias": "stand-refused",
        "config": str(layout.root / "ssh_config"),
        "key": str(keys / "ssh_user"),
        "wrong_key": str(keys / "ssh_other_user"),
        "known_hosts": str(keys / "known_hosts"),
        "changed_known_hosts": str(keys / "known_hosts_changed"),
        "empty_known_hosts": str(keys / "known_hosts_empty"),
        "host_key": str(keys / "ssh_host.pub"),
    }


def ssh_config(layout: Layout, nodes: list[Node]) -> None:
    """One alias for the host, one through a jump, one for each Swarm node."""
    keys, port = layout.keys, layout.ports.ssh
    common = (
        f"    Port {port}\n    User root\n    IdentityFile {keys}/ssh_user\n"
        "    IdentitiesOnly yes\n    StrictHostKeyChecking yes\n"
    )
    known = f"    UserKnownHostsFile {keys}/known_hosts\n"
    hosts = [("stand-prod", "127.0.0.1")]
    hosts += [(f"stand-{node.name}", node.address) for node in nodes]
    text = "".join(f"Host {name}\n    HostName {at}\n{common}{known}\n" for name, at in hosts)
    text += f"Host stand-jump\n    HostName 127.0.0.1\n    ProxyJump stand-prod\n{common}{known}\n"
    for alias, file in (("stand-changed", "changed"), ("stand-unknown", "empty")):
        wrong = f"    UserKnownHostsFile {keys}/known_hosts_{file}\n"
        text += f"Host {alias}\n    HostName 127.0.0.1\n{common}{wrong}\n"
    wrong_key = common.replace("ssh_user", "ssh_other_user")
    text += f"Host stand-refused\n    HostName 127.0.0.1\n{wrong_key}{known}"
    path = layout.root / "ssh_config"
    path.write_text(text)
    path.chmod(0o600)


def variants(engine: Engine) -> dict[str, dict[str, str]]:
    found = images.digests(engine)
    listed = {}
    for variant, tag in images.BACKENDS.items():
        name = engine.layout.image("backend", tag)
        listed[variant] = {"tag": tag, "name": name, **found[name]}
    return listed


def database(production: Production, kind: str) -> dict[str, object]:
    values, ports = read_env(production.env_file), production.layout.ports
    if kind == "redis":
        return {"host": "127.0.0.1", "port": ports.redis, "password": values["REDIS_PASSWORD"]}
    return {
        "host": "127.0.0.1",
        "port": ports.postgres,
        "user": values["POSTGRES_USER"],
        "password": values["POSTGRES_PASSWORD"],
        "database": values["POSTGRES_DB"],
    }
