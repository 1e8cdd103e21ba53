"""What init says of edges that would be a trouble once they are written down."""

from types import SimpleNamespace
from typing import Any

from console.clock import Deadline, ManualClock
from console.commands.discovering import edge_doubts
from console.config.discovery import Discovery
from console.config.environment import Environment
from console.errors import FailureKind, LinkError
from console.model.edges import Certificate, EdgeReport, Probe

NOW = 1_795_000_000.0
GOOD = Certificate("shop", "CA", ("shop",), NOW - 1, NOW + 9e6)
REFUSED = Certificate("shop", "shop", ("shop",), NOW - 1, NOW + 9e6, "self-signed")


def edge(status: int, certificate: Certificate | None) -> Any:
    probe = Probe("https://shop/health", NOW, 0.01, status)

    def read(_: Deadline) -> EdgeReport:
        return EdgeReport("nginx-1", "https://shop", "here", probe, certificate=certificate)

    return SimpleNamespace(read=read)


def gone() -> Any:
    def read(_: Deadline) -> EdgeReport:
        raise LinkError(FailureKind.UNREACHABLE, "edge nginx-2", "refused", "look at it")

    return SimpleNamespace(read=read)


def doubts(*edges: Any) -> tuple[str, ...]:
    opener: Any = SimpleNamespace(open=lambda _: SimpleNamespace(edges=edges))
    return edge_doubts(Discovery(Environment("production"), {}), opener, ManualClock(NOW))


def test_a_good_edge_is_not_mentioned() -> None:
    assert doubts(edge(200, GOOD), edge(200, None)) == ()


def test_a_refused_certificate_names_the_keys_that_mend_it() -> None:
    (doubt,) = doubts(edge(200, REFUSED))
    assert "nginx-1" in doubt and "self-signed" in doubt and "`ca`" in doubt


def test_a_path_that_is_not_there_is_named() -> None:
    (doubt,) = doubts(edge(404, GOOD))
    assert "404" in doubt and "`health`" in doubt


def test_an_edge_that_cannot_be_asked_keeps_no_other_from_being() -> None:
    assert len(doubts(gone(), edge(200, REFUSED))) == 2
