"""What the live tests know of the stand, and what they may do to it.

Standard library only. `load()` reads stand.json; the rest takes the `Stand` it
returns. A test that changes something ends with `reset(stand)`.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = 1
DEFAULT_ROOT = "/tmp/cofa-stand"
FORM = "application/x-www-form-urlencoded"


class NoStandError(Exception):
    """There is no stand, or it is of another age than this file."""


@dataclass(frozen=True)
class Docker:
    """`cert_path` is what DOCKER_CERT_PATH takes, for `tcp_host`."""

    host: str
    socket: str
    tcp_host: str
    cert_path: str
    client: str
    data_root: str
    dockerd_pid_file: str


@dataclass(frozen=True)
class Compose:
    project: str
    directory: str
    files: tuple[str, ...]
    env_file: str
    tag_variable: str
    services: tuple[str, ...]
    backend: str
    edges: tuple[str, ...]
    replicas: int


@dataclass(frozen=True)
class Edge:
    service: str
    host: str
    https_port: int
    http_port: int
    https: str
    http: str
    domain: str
    ca_file: str
    upstreams_dir: str | None


@dataclass(frozen=True)
class S3:
    endpoint: str
    bucket: str
    prefix: str
    region: str
    access_key: str
    secret_key: str
    denied_bucket: str
    crowded_bucket: str


@dataclass(frozen=True)
class Ssh:
    host: str
    port: int
    user: str
    alias: str
    jump_alias: str
    changed_alias: str
    unknown_alias: str
    refused_alias: str
    config: str
    key: str
    wrong_key: str
    known_hosts: str
    changed_known_hosts: str
    empty_known_hosts: str
    host_key: str


@dataclass(frozen=True)
class Variant:
    """One image of the backend; `digest` is `repository@sha256:...`."""

    tag: str
    name: str
    digest: str
    id: str


@dataclass(frozen=True)
class Database:
    host: str
    port: int
    password: str
    user: str = ""
    database: str = ""


@dataclass(frozen=True)
class Node:
    """One Swarm node; its engine is a socket of this machine as well."""

    name: str
    role: str
    address: str
    docker_host: str
    socket: str
    namespace: str
    ssh_alias: str


@dataclass(frozen=True)
class Swarm:
    stack: str
    backend: str
    edge: str
    replicas: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Stand:
    root: str
    docker: Docker
    compose: Compose
    edges: tuple[Edge, ...]
    prometheus: str
    rules_dir: str
    alertmanager: str
    s3: S3
    ssh: Ssh
    registry: str
    variants: Mapping[str, Variant]
    postgres: Database
    redis: Database
    swarm: Swarm | None
    logs: str
    aws: str


def stand_directory() -> Path:
    return Path(os.environ.get("COFA_STAND_DIR") or DEFAULT_ROOT)


def load(directory: Path | None = None) -> Stand:
    path = (directory or stand_directory()) / "stand.json"
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise NoStandError(f"no stand: start it with tests/live/stand/up ({error})") from error
    if raw["schema"] != SCHEMA:
        raise NoStandError(f"{path} has schema {raw['schema']}, not {SCHEMA}: run up again")
    compose: dict[str, Any] = raw["compose"]
    lists = {name: tuple(compose[name]) for name in ("files", "services", "edges")}
    return Stand(
        root=raw["root"],
        docker=Docker(**raw["docker"]),
        compose=Compose(**{**compose, **lists}),
        edges=tuple(Edge(**edge) for edge in raw["edges"]),
        prometheus=raw["prometheus"]["url"],
        rules_dir=raw["prometheus"]["rules_dir"],
        alertmanager=raw["alertmanager"]["url"],
        s3=S3(**raw["s3"]),
        ssh=Ssh(**raw["ssh"]),
        registry=raw["registry"],
        variants={name: Variant(**fields) for name, fields in raw["images"].items()},
        postgres=Database(**raw["postgres"]),
        redis=Database(**raw["redis"]),
        swarm=swarm_of(raw["swarm"]) if raw["swarm"] else None,
        logs=raw["logs"],
        aws=raw["aws"],
    )


def swarm_of(raw: Mapping[str, Any]) -> Swarm:
    nodes = tuple(Node(**node) for node in raw["nodes"])
    return Swarm(**{**raw, "nodes": nodes, "edges": tuple(Edge(**edge) for edge in raw["edges"])})


def run(argv: list[str], *, timeout: float = 60) -> str:
    """Standard output; a failure raises with what was said on standard error."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise AssertionError(f"{argv}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def docker(stand: Stand, *arguments: str, timeout: float = 60) -> str:
    return run([stand.docker.client, "--host", stand.docker.host, *arguments], timeout=timeout)


def compose(stand: Stand, *arguments: str, timeout: float = 120) -> str:
    where = ("compose", "--project-directory", stand.compose.directory)
    return docker(stand, *where, *arguments, timeout=timeout)


def ssh(stand: Stand, command: str, *, alias: str | None = None, timeout: float = 20) -> str:
    return run(["ssh", "-F", stand.ssh.config, alias or stand.ssh.alias, command], timeout=timeout)


def on_node(stand: Stand, node: Node, *arguments: str) -> str:
    return run([stand.docker.client, "--host", node.docker_host, *arguments])


@dataclass(frozen=True)
class Container:
    id: str
    name: str
    service: str
    state: str
    health: str
    pid: int
    address: str
    image: str
    restarts: int


def containers(stand: Stand, service: str | None = None) -> list[Container]:
    """The project's containers as the engine has them now, in order of name."""
    label = f"label=com.docker.compose.project={stand.compose.project}"
    ids = docker(stand, "ps", "--all", "--quiet", "--filter", label).split()
    found = [container(raw) for raw in json.loads(docker(stand, "inspect", *ids))] if ids else []
    return sorted(
        (one for one in found if service in (None, one.service)), key=lambda one: one.name
    )


def container(raw: Mapping[str, Any]) -> Container:
    networks = raw["NetworkSettings"]["Networks"].values()
    return Container(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        service=raw["Config"]["Labels"]["com.docker.compose.service"],
        state=raw["State"]["Status"],
        health=raw["State"].get("Health", {}).get("Status", ""),
        pid=raw["State"]["Pid"],
        address=next((net["IPAddress"] for net in networks if net["IPAddress"]), ""),
        image=raw["Config"]["Image"],
        restarts=raw["RestartCount"],
    )


def replicas(stand: Stand) -> list[Container]:
    return containers(stand, stand.compose.backend)


def is_calm(stand: Stand) -> bool:
    """Everything runs, is healthy, and the fleet is whole and on the good image."""
    found = containers(stand)
    fleet = [one for one in found if one.service == stand.compose.backend]
    return (
        {one.service for one in found} == set(stand.compose.services)
        and all(one.state == "running" and one.health in ("", "healthy") for one in found)
        and len(fleet) == stand.compose.replicas
        and all(one.image == stand.variants["good"].name for one in fleet)
    )


def wait_for(what: str, condition: Callable[[], bool], *, timeout: float = 30) -> float:
    """Seconds until it was so. The only place of the live tests that waits."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout:
            raise AssertionError(f"{what}: not so after {timeout:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(
    url: str, *, ca_file: str | None = None, data: bytes | None = None, kind: str = FORM
) -> Answer:
    """One request, redirects not followed; an HTTP error is an answer as well."""
    context = ssl.create_default_context(cafile=ca_file)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _Stay(), urllib.request.ProxyHandler({})
    )
    request = urllib.request.Request(url, data, {"Content-Type": kind} if data else {})
    try:
        with opener.open(request, timeout=10) as answer:
            return Answer(answer.status, answer.read(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers))


def query(stand: Stand, promql: str) -> list[dict[str, Any]]:
    """An instant query's result vector."""
    body = urllib.parse.urlencode({"query": promql}).encode()
    answer = fetch(f"{stand.prometheus}/api/v1/query", data=body)
    result: list[dict[str, Any]] = json.loads(answer.body)["data"]["result"]
    return result


def set_tag(stand: Stand, tag: str) -> None:
    """Writes the backend's tag into the env file, as a person would."""
    path = Path(stand.compose.env_file)
    name = f"{stand.compose.tag_variable}="
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{name}{tag}\n" if x.startswith(name) else f"{x}\n" for x in lines))


def deploy(stand: Stand, variant: str) -> None:
    """Every replica at once, the way the field does it: `up -d --no-deps backend`."""
    set_tag(stand, stand.variants[variant].tag)
    compose(stand, "up", "--detach", "--no-deps", stand.compose.backend)


def crash(one: Container) -> None:
    """The process dies by itself, so that the engine's restart policy applies."""
    os.kill(one.pid, signal.SIGKILL)


@contextmanager
def frozen(stand: Stand, service: str) -> Iterator[None]:
    """Its port still accepts, and nothing answers."""
    names = [one.name for one in containers(stand, service)]
    docker(stand, "pause", *names)
    try:
        yield
    finally:
        docker(stand, "unpause", *names)


def add_rule(stand: Stand, name: str, group: Mapping[str, Any]) -> None:
    """One more file of Prometheus rules, in force at once. JSON is YAML."""
    path = Path(stand.rules_dir) / f"{name}.yml"
    path.write_text(json.dumps({"groups": [group]}))
    reload_prometheus(stand)


def reload_prometheus(stand: Stand) -> None:
    answer = fetch(f"{stand.prometheus}/-/reload", data=b"")
    if answer.status != 200:
        raise AssertionError(f"Prometheus refused its rules: {answer.body.decode()}")


def post_alert(stand: Stand, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    """Straight into Alertmanager, firing at once, resolved after five minutes."""
    body = json.dumps([{"labels": dict(labels), "annotations": dict(annotations)}]).encode()
    answer = fetch(f"{stand.alertmanager}/api/v2/alerts", data=body, kind="application/json")
    if answer.status != 200:
        raise AssertionError(f"Alertmanager refused the alert: {answer.body.decode()}")


def reset(stand: Stand, *, timeout: float = 90) -> None:
    """Back to calm: the good image, whole, no rule or upstream of a test."""
    upstreams = next(edge.upstreams_dir for edge in stand.edges if edge.upstreams_dir)
    for folder, kept in ((stand.rules_dir, "production.yml"), (upstreams, "backend.conf")):
        for path in Path(folder).iterdir():
            if path.name != kept:
                path.unlink()
    (Path(upstreams) / "backend.conf").write_text("server backend:8000;\n")
    set_tag(stand, stand.variants["good"].tag)
    paused = docker(stand, "ps", "--quiet", "--filter", "status=paused").split()
    if paused:
        docker(stand, "unpause", *paused)
    compose(stand, "up", "--detach", "--remove-orphans")
    reload_prometheus(stand)
    for edge in stand.edges:
        compose(stand, "exec", "-T", edge.service, "nginx", "-s", "reload")
    wait_for("the stand is calm again", lambda: is_calm(stand), timeout=timeout)
