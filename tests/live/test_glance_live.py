"""`cofa glance` as a whole, on the stand: by its file, by discovery, over SSH, on the Swarm.

One source that fails is one finding with its reason; every other figure stays.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.live

SOURCES = {
    "engine": lambda vitals: vitals["replicas"]["healthy"],
    "prometheus": lambda vitals: vitals["p95_ms"],
    "backups": lambda vitals: vitals["backup"]["key"],
    "edges": lambda vitals: vitals["edges"]["ok"],
}
"""A figure of each source, None where it was not read."""


@pytest.fixture
def configured(product: Any, stand: Any, toml: Any) -> Callable[..., Any]:
    """A home with the stand's cofa.toml; `changes` are made to its text."""

    def make(engine: str = "", **changes: str) -> Any:
        text = toml.stand_toml(stand, engine)
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        product.configure(text, COFA_SSH_CONFIG=stand.ssh.config, **toml.stand_secrets(stand))
        return product

    return make


@pytest.fixture
def restored(stand: Any, stands: Any) -> Iterator[None]:
    """The stand is calm before and after the test."""
    stands.wait_for("the stand is calm", lambda: stands.is_calm(stand), timeout=90)
    yield
    stands.reset(stand)


def eventually(product: Any, right: Callable[[int, Any], bool], **environ: str) -> Any:
    """The first glance that is right, within a minute and a half."""
    end = time.monotonic() + 90
    while True:
        code, seen = product.glance(**environ)
        if right(code, seen):
            return seen
        assert time.monotonic() < end, (code, seen["findings"], seen["sources"], seen["vitals"])


def whole(code: int, seen: Any) -> bool:
    """Everything configured was read, and the backend is complete."""
    return (
        code in (0, 1)
        and all(source["ok"] for source in seen["sources"])
        and seen["vitals"]["replicas"] == {"healthy": 3, "declared": 3}
        and all(figure(seen["vitals"]) is not None for figure in SOURCES.values())
    )


def blind(seen: Any, name: str) -> dict[str, str]:
    """The error of a source that must be blind, and a finding that must say so."""
    source = next(source for source in seen["sources"] if source["name"] == name)
    assert source["state"] == "blind" and not source["ok"]
    assert any(found["blind"] and name in str(found) for found in seen["findings"])
    error: dict[str, str] = source["error"]
    assert error["why"] and error["remedy"]
    return error


def others_stay(seen: Any, *but: str) -> None:
    """The figures of all sources but these are there."""
    for name, figure in SOURCES.items():
        assert (figure(seen["vitals"]) is None) is (name in but), name


def test_by_its_file(configured: Any) -> None:
    product = configured()
    seen = eventually(product, whole)
    assert len(seen["sources"]) >= 11 and not seen["rehearsal"]
    told = product.run("glance")
    assert "3 of 3 ok" in told.out and "\x1b" not in told.out


def test_by_discovery(product: Any, stand: Any) -> None:
    seen = eventually(product, whole, DOCKER_HOST=stand.docker.host)
    assert seen["vitals"]["edges"]["total"] >= len(stand.edges)


def test_over_ssh(product: Any, stand: Any) -> None:
    host = f"ssh://{stand.ssh.alias}{stand.docker.socket}"
    seen = eventually(product, whole, DOCKER_HOST=host, COFA_SSH_CONFIG=stand.ssh.config)
    assert f"host:{stand.ssh.alias}" in {source["name"] for source in seen["sources"]}


@pytest.mark.parametrize("over_ssh", [False, True], ids=["socket", "ssh"])
def test_on_the_swarm(product: Any, stand: Any, over_ssh: bool) -> None:
    manager = stand.swarm.nodes[0]
    host = f"ssh://{manager.ssh_alias}{manager.socket}" if over_ssh else manager.docker_host
    replicas = {"healthy": stand.swarm.replicas, "declared": stand.swarm.replicas}
    seen = eventually(
        product,
        lambda _, seen: seen["vitals"]["replicas"] == replicas,
        DOCKER_HOST=host,
        COFA_SSH_CONFIG=stand.ssh.config,
    )
    assert seen["vitals"]["edges"]["total"] == len(stand.swarm.edges)


def test_a_replica_that_is_down(configured: Any, stand: Any, stands: Any, restored: None) -> None:
    victim = stands.replicas(stand)[-1]
    stands.docker(stand, "kill", victim.name)
    seen = eventually(configured(), lambda code, _: code != 0)
    assert seen["vitals"]["replicas"] == {"healthy": 2, "declared": 3}
    assert seen["status"] == "degraded" and seen["counts"]["p0"] == 0
    words = " ".join(str(found) for found in seen["findings"])
    assert victim.name in words and "137" in words
    others_stay(seen)


def test_a_prometheus_that_is_frozen(
    configured: Any, stand: Any, stands: Any, restored: None
) -> None:
    product = configured()
    with stands.frozen(stand, "prometheus"):
        _, seen = product.glance()
        assert blind(seen, "prometheus")["kind"] == "timeout"
        others_stay(seen, "prometheus")
        assert seen["status"] in ("unknown", "degraded")  # Alertmanager misses the Watchdog soon
    eventually(product, whole)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("html", "invalid", "answered HTML, not JSON"),
        ("unauthorized", "denied", "credentials"),
        ("half_a_body", "invalid", "broke off"),
        ("drip", "timeout", "s"),
        ("silent", "timeout", "no answer"),
        ("reset", "unreachable", "reset"),
    ],
)
def test_a_prometheus_that_answers_wrongly(
    configured: Any, stand: Any, serve: Any, faults: Any, fault: str, kind: str, words: str
) -> None:
    faulty = serve(getattr(faults, fault))
    product = configured(url=(f'"{stand.prometheus}"', f'"{faulty.url}"'))
    _, seen = product.glance()
    error = blind(seen, "prometheus")
    assert error["kind"] == kind and words in error["why"]
    others_stay(seen, "prometheus")


def test_a_bucket_that_denies(configured: Any, stand: Any) -> None:
    _, seen = configured(bucket=(f'"{stand.s3.bucket}"', f'"{stand.s3.denied_bucket}"')).glance()
    error = blind(seen, "backups")
    assert error["kind"] == "denied" and "s3:ListBucket" in error["remedy"]
    others_stay(seen, "backups")


def test_a_bucket_of_100_000_keys(configured: Any, stand: Any) -> None:
    changed = (f'"{stand.s3.bucket}"', f'"{stand.s3.crowded_bucket}"')
    _, seen = configured(bucket=changed).glance()
    others_stay(seen)
    assert 0 <= seen["vitals"]["backup"]["age_s"] < 2 * 86400


@pytest.mark.parametrize(
    ("alias", "kind", "words"),
    [
        ("refused_alias", "denied", "does not let us in"),
        ("changed_alias", "denied", "CHANGED"),
        ("unknown_alias", "denied", "is not known"),
    ],
)
def test_a_host_that_refuses_or_is_refused(
    configured: Any, stand: Any, alias: str, kind: str, words: str
) -> None:
    address = f"ssh://{getattr(stand.ssh, alias)}{stand.docker.socket}"
    code, seen = configured(engine=address).glance()
    error = blind(seen, "engine")
    assert error["kind"] == kind and words in error["why"]
    assert code in (1, 3), "what cannot be seen is never well"
    others_stay(seen, "engine")
