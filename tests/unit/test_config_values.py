"""Single values: what is taken, and what is refused with its reason."""

import pytest

from console.config import values


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (2, 2.0),
        (0.5, 0.5),
        ("2 s", 2.0),
        ("500ms", 0.5),
        ("30 min", 1800.0),
        ("30m", 1800.0),
        ("6h", 21600.0),
        ("1 h 30 min", 5400.0),
        ("1h30m", 5400.0),
        ("2 days", 172800.0),
        ("1 week", 604800.0),
        ("1.5 H", 5400.0),
    ],
)
def test_durations(given: object, seconds: float) -> None:
    assert values.duration(given) == seconds


@pytest.mark.parametrize(
    "given", ["", "fast", "6", "h", "-1 h", "6 parsecs", True, None, [], -1, float("nan"), 1e999]
)
def test_what_is_no_duration(given: object) -> None:
    with pytest.raises(ValueError, match=r"is no|is not"):
        values.duration(given)


@pytest.mark.parametrize(
    ("given", "ratio"),
    [(0.8, 0.8), ("80 %", 0.8), ("99.9%", 0.999), (1, 1.0), (0, 0.0), ("100 %", 1.0)],
)
def test_ratios(given: object, ratio: float) -> None:
    assert values.ratio(given) == ratio


@pytest.mark.parametrize("given", [80, "80", "101 %", -0.1, "x %", "nan %", True, float("inf")])
def test_what_is_no_ratio(given: object) -> None:
    with pytest.raises(ValueError, match=r"is no|is not"):
        values.ratio(given)


@pytest.mark.parametrize(
    "given",
    [
        "ssh://prod-1",
        "ssh://ana@prod-1.example.com:2222",
        "ssh://ana@10.0.0.1",
        "ssh://[2001:db8::1]:22",
    ],
)
def test_ssh_addresses(given: str) -> None:
    assert values.ssh_address(given) == given


@pytest.mark.parametrize(
    "given",
    [
        "prod-1",
        "ssh://",
        "ssh://-oProxyCommand=evil",
        "ssh://-l@host",
        "ssh://a b",
        "ssh://host:99999",
        "ssh://user:password@host",
        "ssh://host/path",
        "ssh://host;id",
        3,
    ],
)
def test_what_could_mislead_ssh_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="ssh"):
        values.ssh_address(given)


@pytest.mark.parametrize(
    "given",
    [
        "unix:///run/docker.sock",
        "tcp://prod-1:2376",
        "ssh://prod-1",
        "context:prod",
        "tcp://[::1]:1",
    ],
)
def test_engine_addresses(given: str) -> None:
    assert values.engine_address(given) == given


@pytest.mark.parametrize(
    "given", ["unix://", "unix://relative", "tcp://host", "http://x:1", "context:", "docker", "", 1]
)
def test_what_is_no_engine(given: object) -> None:
    with pytest.raises(ValueError, match=r"is no|is empty"):
        values.engine_address(given)


@pytest.mark.parametrize(
    "given",
    [
        "prod:9090",
        "ftp://x",
        "http://",
        "https://user:pw@x",
        "http://x y",
        "http://x?q=1",
        "http://x#f",
        "http://x:99999",
        "http://[",
        "http://x\x1b[31m",
    ],
)
def test_what_is_no_url(given: str) -> None:
    with pytest.raises(ValueError, match=r"URL|credentials|query|control"):
        values.url(given)


def test_an_origin_has_no_path() -> None:
    assert values.origin("https://api.example.com/") == "https://api.example.com"
    with pytest.raises(ValueError, match="path"):
        values.origin("https://api.example.com/health")


@pytest.mark.parametrize("given", ["127.0.0.1:443", "prod-1:8443", "[::1]:443"])
def test_listeners(given: str) -> None:
    assert values.listener(given) == given


@pytest.mark.parametrize("given", ["prod-1", ":443", "::1:443", "a@b:1", "x:0", "x:70000", 443])
def test_what_is_no_listener(given: object) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        values.listener(given)


def test_a_window_in_seconds() -> None:
    assert values.window_seconds(values.window("1h30m")) == 5400
    with pytest.raises(ValueError, match="Prometheus"):
        values.window("1 h")


def test_a_query_may_run_over_lines() -> None:
    assert values.query("sum(\n  up\n)\n") == "sum(   up )"
