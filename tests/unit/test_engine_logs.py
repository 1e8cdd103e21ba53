"""Log streams in frames and without, usage, and what nginx says of its upstreams."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.links.engine.logs import framed_lines, plain_lines
from console.links.engine.stats import Sample, sample_of, usage_of
from console.links.engine.upstreams import upstreams_of
from console.model.fleet import LogLine
from console.text import LINE_LIMIT

STAMP = b"2026-11-22T17:12:23.970368921Z "
AT = 1795367543.970368921


def frame(data: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 64, 4096])
def test_frames_may_be_cut_anywhere(size: int) -> None:
    stream = (
        frame(STAMP + b"one\n") + frame(STAMP + b"two\n", 2) + frame(STAMP + "drei ß\n".encode())
    )
    lines = list(framed_lines(pieces(stream, size), "api-1"))
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "one"),
        ("stderr", "two"),
        ("stdout", "drei ß"),
    ]
    assert all(line.at == pytest.approx(AT) and line.replica == "api-1" for line in lines)


def test_a_line_without_an_end_comes_at_the_end() -> None:
    lines = list(framed_lines([frame(STAMP + b"begun")], "r"))
    assert [line.text for line in lines] == ["begun"]


def test_streams_are_put_together_apart() -> None:
    stream = frame(STAMP + b"out") + frame(STAMP + b"err\n", 2) + frame(STAMP + b"!\n")
    assert sorted(line.stream for line in framed_lines([stream], "r")) == ["stderr", "stdout"]


def test_a_megabyte_in_one_line_is_cut_and_counted() -> None:
    """As the engine sends it: messages of 16 KiB, each with its own time."""
    body, part = b"x" * (1 << 20), 16 << 10
    messages = [frame(STAMP + body[start : start + part]) for start in range(0, len(body), part)]
    stream = b"".join([*messages, frame(STAMP + b"\n"), frame(STAMP + b"next\n")])
    first, second = framed_lines(pieces(stream, 65_536), "r")
    assert first.text == "x" * LINE_LIMIT + f" ... {(1 << 20) - LINE_LIMIT} more bytes"
    assert first.at == pytest.approx(AT)
    assert second.text == "next"


def test_a_lying_frame_takes_no_memory() -> None:
    """It announces 4 GiB and sends 3 MB without an end of line."""
    header = bytes([1, 0, 0, 0]) + (0xFFFFFFFF).to_bytes(4, "big")
    (line,) = framed_lines([header, *[b"y" * 65_536] * 48], "r")
    assert len(line.text) < LINE_LIMIT + 50


def test_a_terminal_has_no_frames() -> None:
    data = STAMP + b"\x1b[31mred\x1b[0m\r\n" + STAMP + b"more\r\n"
    lines = list(plain_lines(pieces(data, 5), "tty"))
    assert [(line.stream, line.text) for line in lines] == [("stdout", "red"), ("stdout", "more")]


def test_no_time_is_no_loss() -> None:
    (line,) = framed_lines([frame(b"no time here\n")], "r")
    assert (line.at, line.text) == (None, "no time here")


def test_usage_of_a_real_answer() -> None:
    """cgroup v1: the cache that can be dropped is total_inactive_file."""
    answer = json.loads((Path(__file__).parent / "engine_answers/stats.json").read_text())
    first = sample_of(answer)
    assert first is not None and first.cpu is not None
    memory = answer["memory_stats"]
    assert first.memory == memory["usage"] - memory["stats"]["total_inactive_file"]
    later = Sample(first.at + 2.0, first.cpu + 500_000_000, first.memory, first.memory_limit)
    usage = usage_of(later, first, None)
    assert usage.cpu == pytest.approx(0.25)
    assert usage.memory_limit == memory["limit"]


def test_no_limit_is_the_whole_host() -> None:
    sample = Sample(10.0, 5, 1 << 20, 16 << 30)
    assert usage_of(sample, None, 16 << 30).memory_limit is None
    assert usage_of(sample, None, 32 << 30).memory_limit == 16 << 30


def test_cpu_needs_two_samples_of_one_process() -> None:
    early, late = Sample(10.0, 900, 1, 1), Sample(12.0, 100, 1, 1)
    assert usage_of(early, None, None).cpu is None
    assert usage_of(late, early, None).cpu is None  # it was restarted in between
    assert usage_of(early, early, None).cpu is None


def test_a_stopped_container_uses_nothing_that_can_be_read() -> None:
    assert sample_of({"read": "0001-01-01T00:00:00Z", "cpu_stats": {}, "memory_stats": {}}) is None


def test_memory_by_cgroup_v2() -> None:
    answer = {
        "read": "2026-11-22T17:12:23Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 5}},
        "memory_stats": {"usage": 100, "limit": 200, "stats": {"inactive_file": 30}},
    }
    sample = sample_of(answer)
    assert sample is not None and sample.memory == 70


def nginx(
    message: str, upstream: str, request: str = "GET / HTTP/1.1", at: float = 50.0
) -> LogLine:
    text = (
        f"2026/11/22 17:00:00 [error] 31#31: *1 {message}, client: 10.0.0.1, server: shop.test, "
        f'request: "{request}", upstream: "http://{upstream}/x", host: "shop.test"'
    )
    return LogLine(at, "edge-1", "stderr", text)


REFUSED = "connect() failed (111: Connection refused) while connecting to upstream"


def test_addresses_that_nginx_could_not_reach() -> None:
    lines = [
        nginx(REFUSED, "172.18.0.5:8000", at=40.0),
        nginx(REFUSED, "172.18.0.5:8000", at=60.0),
        nginx("no live upstreams while connecting to upstream", "backend", at=61.0),
        nginx(
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            "[fd00::5]:8000",
            at=62.0,
        ),
        nginx(
            "upstream timed out (110: Connection timed out) while reading response header "
            "from upstream",
            "172.18.0.9:8000",
        ),
        LogLine(50.0, "edge-1", "stdout", '10.0.0.1 "GET /" 502'),
    ]
    found = upstreams_of("edge-1", lines, since=30.0)
    assert found.failed == (
        ("172.18.0.5:8000", 2, 60.0),
        ("[fd00::5]:8000", 1, 62.0),
        ("backend", 1, 61.0),
    )


def test_what_is_older_does_not_count() -> None:
    line = nginx(REFUSED, "172.18.0.5:8000", at=40.0)
    assert upstreams_of("e", [line], since=41.0).failed == ()


def test_a_request_cannot_pretend_an_upstream() -> None:
    forged = 'GET / HTTP/1.1", upstream: "http://203.0.113.9:80/'
    real = upstreams_of("e", [nginx(REFUSED, "172.18.0.5:8000", request=forged)], since=0.0)
    assert "203.0.113.9:80" not in [address for address, _, _ in real.failed]
    echo = LogLine(50.0, "e", "stderr", "app: " + nginx(REFUSED, "203.0.113.9:80").text)
    assert upstreams_of("e", [echo], since=0.0).failed == ()
