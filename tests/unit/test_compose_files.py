"""Compose's files through a host whose commands are given; and what `up` would change."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.errors import FailureKind, LinkError
from console.links.compose import ComposeFiles, origins_of
from console.links.protocols import Completed, TcpAddress, UnixAddress
from console.model.drift import drift, drift_words
from console.model.fleet import (
    ComposeOrigin,
    Fleet,
    Image,
    Intended,
    Intention,
    Replica,
    Service,
    ServiceKind,
    State,
)
from console.model.hosts import HostReport

ORIGIN = ComposeOrigin(
    "shop", "/srv/shop", ("/srv/shop/compose.yaml", "/srv/shop/prod.yaml"), ("/srv/shop/prod.env",)
)
RENDERED = {
    "services": {
        "backend": {
            "image": "reg/shop/backend:v1.3.0",
            "deploy": {"replicas": 3},
            "environment": {"SECRET_KEY": "hunter22-hunter22"},
        },
        "worker": {"build": {"context": "."}, "scale": 2},
        "nginx": {"image": "nginx:1.25"},
    }
}
HASHES = b"backend aaa\nworker bbb\nnginx ccc\n"


@dataclass
class GivenHost:
    """A HostLink whose answers are written down; it keeps what it was asked."""

    answers: dict[str, Completed | LinkError]
    asked: list[tuple[str, ...]] = field(default_factory=list)
    name: str = "host:prod-1"
    local: bool = False

    def run(
        self, argv: Sequence[str], deadline: Deadline, *, stdin: bytes = b"", limit: int = 0
    ) -> Completed:
        self.asked.append(tuple(argv))
        kind = "hash" if "--hash" in argv else "json"
        answer = self.answers.get(f"{argv[0]} {kind}") or self.answers[kind]
        if isinstance(answer, LinkError):
            raise answer
        return answer

    def read(self, deadline: Deadline) -> HostReport:
        raise NotImplementedError

    def skew(self) -> float | None:
        return None

    def reach(
        self, address: TcpAddress | UnixAddress, deadline: Deadline
    ) -> TcpAddress | UnixAddress:
        return address

    def cancel(self) -> None:
        return

    def close(self) -> None:
        return


def done(stdout: bytes = b"", stderr: bytes = b"", code: int = 0) -> Completed:
    return Completed((), code, stdout, stderr)


def good(**changes: Completed | LinkError) -> GivenHost:
    return GivenHost({"hash": done(HASHES), "json": done(json.dumps(RENDERED).encode())} | changes)


def image_ids(references: Collection[str], deadline: Deadline) -> Mapping[str, str]:
    known = {"reg/shop/backend:v1.3.0": "sha256:b13", "shop-worker": "sha256:w"}
    return {name: known[name] for name in references if name in known}


def read(host: GivenHost, origin: ComposeOrigin = ORIGIN) -> Intended:
    link = ComposeFiles(origin, host, image_ids)
    assert link.name == "compose:shop"
    return link.read(Deadline.after(SystemClock(), 10))


def test_what_the_files_intend() -> None:
    host = good()
    intended = read(host)
    assert intended.services == (
        Intention("shop/backend", "reg/shop/backend:v1.3.0", 3, "aaa", "sha256:b13"),
        Intention("shop/nginx", "nginx:1.25", 1, "ccc", None),
        Intention("shop/worker", "shop-worker", 2, "bbb", "sha256:w"),
    )
    assert "hunter22" not in repr(intended)
    command = ("docker", "compose", "-p", "shop", "--project-directory", "/srv/shop")
    command += ("-f", "/srv/shop/compose.yaml", "-f", "/srv/shop/prod.yaml")
    command += ("--env-file", "/srv/shop/prod.env", "config")
    assert set(host.asked) == {(*command, "--hash", "*"), (*command, "--format", "json")}


def test_files_that_are_gone_are_a_problem_and_no_failure() -> None:
    stderr = b"open /srv/shop/compose.yaml: no such file or directory\n"
    intended = read(good(json=done(stderr=stderr, code=14)))
    assert not intended.services
    assert intended.problem == (
        "open /srv/shop/compose.yaml: no such file or directory (exit code 14)"
    )


def test_secrets_in_composes_complaint_are_masked() -> None:
    stderr = b'invalid interpolation: "DATABASE_URL: postgres://u:hunter22@db/x\x1b[31m"'
    problem = read(good(json=done(stderr=stderr, code=15))).problem
    assert "hunter22" not in problem and "\x1b" not in problem and "***" in problem


def test_blank_variables_are_warned_of() -> None:
    line = (
        'time="2026-11-22T17:00:00Z" level=warning '
        'msg="The \\"SECRET_KEY\\" variable is not set. Defaulting to a blank string."\n'
    )
    rendered = done(json.dumps(RENDERED).encode(), (line * 2).encode())
    assert read(good(json=rendered)).warnings == (
        'The "SECRET_KEY" variable is not set. Defaulting to a blank string.',
    )


@pytest.mark.parametrize(
    "refusal",
    [
        done(stderr=b"docker: 'compose' is not a docker command.\n", code=1),
        done(stderr=b"unknown shorthand flag: 'p' in -p\n", code=125),
        done(code=127),
        LinkError(FailureKind.MISSING, "host:prod-1", "no such program", "install it"),
    ],
)
def test_docker_compose_of_old_is_asked_next(refusal: Completed | LinkError) -> None:
    host = GivenHost(
        {
            "docker hash": refusal,
            "docker json": refusal,
            "docker-compose hash": done(HASHES),
            "docker-compose json": done(json.dumps(RENDERED).encode()),
        }
    )
    assert len(read(host).services) == 3


def test_no_compose_at_all() -> None:
    host = GivenHost({"hash": done(code=127), "json": done(code=127)})
    with pytest.raises(LinkError, match="neither") as caught:
        read(host)
    assert caught.value.failure.kind is FailureKind.MISSING


def test_trouble_with_the_host_is_its_own() -> None:
    trouble = LinkError(FailureKind.TIMEOUT, "host:prod-1", "no answer", "look there")
    with pytest.raises(LinkError, match="no answer"):
        read(good(hash=trouble, json=trouble))


@pytest.mark.parametrize("files", [(), ("-",), ("git@host:repo",)])
def test_files_that_are_no_files_here(files: tuple[str, ...]) -> None:
    host = good()
    assert "name no file" in read(host, replace(ORIGIN, config_files=files)).problem
    assert host.asked == []


def test_garbage_is_a_problem() -> None:
    assert read(good(json=done(b"<html>"))).problem == "Compose answered no JSON"
    assert read(good(json=done(b"[1]"))).services == ()


def service(
    *replicas: Replica, kind: ServiceKind = ServiceKind.COMPOSE, name: str = "backend"
) -> Service:
    return Service(f"shop/{name}", name, kind, replicas, project="shop", origin=ORIGIN)


def replica(
    number: int, tag: str = "v1.3.1", config_hash: str = "old", image_id: str = ""
) -> Replica:
    image = Image(f"reg/shop/backend:{tag}", image_id or f"sha256:{tag}")
    return Replica(
        f"id{number}", f"b-{number}", "shop/backend", image, State.RUNNING, config_hash=config_hash
    )


def intention(tag: str = "v1.3.0", config_hash: str = "new", **changes: Any) -> Intention:
    made = Intention("shop/backend", f"reg/shop/backend:{tag}", 2, config_hash, f"sha256:{tag}")
    return replace(made, **changes)


def words(*replicas: Replica, intended: Intention) -> str:
    found = drift(service(*replicas), intended)
    return found.text if found else ""


def test_a_plain_up_that_would_revert() -> None:
    first = drift(service(replica(1), replica(2)), intention())
    nginx = Replica(
        "n", "n", "shop/nginx", Image("nginx:1.25", "sha256:n"), State.RUNNING, config_hash="x"
    )
    second = drift(
        service(nginx, name="nginx"), Intention("shop/nginx", "nginx:1.25", 1, "y", "sha256:n")
    )
    assert first is not None and second is not None and first.recreates
    assert drift_words([first, second]) == (
        "a plain `up` would revert backend from v1.3.1 to v1.3.0 and recreate nginx"
    )
    assert drift_words([]) == ""


def test_no_drift() -> None:
    same = intention("v1.3.1", "old")
    assert drift(service(replica(1), replica(2)), same) is None
    assert drift(service(replica(1)), same) is None  # a missing one would only be made
    other = service(replica(1), kind=ServiceKind.CONTAINER)
    assert drift(other, intention()) is None


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("v1.4.0", "update backend from v1.3.1 to v1.4.0"),
        ("v1.10.0", "update backend from v1.3.1 to v1.10.0"),
        ("latest", "revert backend from v1.3.1 to latest"),
    ],
)
def test_the_direction_is_said_where_it_is_known(tag: str, text: str) -> None:
    assert words(replica(1), intended=intention(tag)) == text


def test_a_tag_that_was_moved() -> None:
    moved = intention("v1.3.1", "old", image_id="sha256:other")
    assert words(replica(1), intended=moved) == (
        "recreate backend on another image (the tag v1.3.1 was moved)"
    )


def test_a_half_rolled_service_names_each_tag() -> None:
    text = words(replica(1, "v1.2.0"), replica(2, "v1.3.1"), intended=intention())
    assert text == "revert backend from v1.2.0, v1.3.1 to v1.3.0"


def test_another_repository_is_named_whole() -> None:
    intended = intention(image="other/backend:v1.3.0")
    assert words(replica(1), intended=intended) == (
        "revert backend from reg/shop/backend:v1.3.1 to other/backend:v1.3.0"
    )


def test_replicas_that_up_would_remove() -> None:
    same = intention("v1.3.1", "old", replicas=1)
    assert words(replica(1), replica(2), replica(3), intended=same) == (
        "remove 2 of 3 replicas of backend"
    )


def test_where_most_services_come_from_is_the_projects_origin() -> None:
    stray = replace(
        service(replica(9), name="stray"), origin=replace(ORIGIN, config_files=("/tmp/x",))
    )
    nowhere = replace(service(name="n"), origin=replace(ORIGIN, project="other", config_files=()))
    fleet = Fleet("e", "26", (stray, service(name="a"), service(name="b"), nowhere))
    unnamed = replace(service(name="u"), origin=replace(ORIGIN, config_files=()))
    fleet = replace(fleet, services=(*fleet.services, *(replace(unnamed, key=k) for k in "uvw")))
    assert origins_of(fleet) == (nowhere.origin, ORIGIN)
