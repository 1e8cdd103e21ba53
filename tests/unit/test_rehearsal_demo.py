"""`cofa demo` up to the screens: which world is started, joined, or changed."""

import threading
from pathlib import Path

import pytest

from console.clock import ManualClock
from console.commands import demo
from console.errors import FailureKind, LinkError, UsageError
from console.paths import Paths
from console.rehearsal.environment import world_path
from console.rehearsal.log import Pulse, WorldFile
from console.rehearsal.scenarios import CALM, SCENARIOS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return world_path(Paths.of({"HOME": str(tmp_path)}))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_795_000_000.0)


def begin(path: Path, clock: ManualClock, *argv: str) -> tuple[bool, Pulse]:
    pulse = Pulse(path)
    return demo.begin(path, demo.parse(argv), pulse, clock), pulse


def test_the_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--list"], {}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_starts_a_world_with_it(path: Path, clock: ManualClock, scenario: str) -> None:
    starts, pulse = begin(path, clock, scenario, "--seed", "9", "--speed", "2")
    log = WorldFile(path).read()
    assert starts
    assert (log.header.seed, log.header.speed, log.header.started_at) == (9, 2.0, clock.now)
    assert [entry.scenario for entry in log.entries] == ([] if scenario == CALM else [scenario])
    assert Pulse(path).held
    pulse.close()


def test_with_no_console_open_a_demo_is_a_new_calm_world(path: Path, clock: ManualClock) -> None:
    begin(path, clock, "outage")[1].close()
    clock.advance(60)
    _, pulse = begin(path, clock)
    log = WorldFile(path).read()
    assert log.entries == () and log.header.started_at == clock.now
    pulse.close()


def test_with_a_console_open_a_demo_joins_its_world(path: Path, clock: ManualClock) -> None:
    _, first = begin(path, clock, "outage")
    before = path.read_bytes()
    clock.advance(60)
    starts, second = begin(path, clock)
    assert not starts
    assert path.read_bytes() == before
    first.close()
    assert Pulse(path).held, "the second console holds it now"
    second.close()


@pytest.mark.parametrize("argv", [["outage"], ["--seed", "2"], ["--speed", "20"]])
def test_an_open_consoles_world_is_not_pulled_from_under_it(
    path: Path, clock: ManualClock, argv: list[str]
) -> None:
    _, first = begin(path, clock, "bad-release")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="--inject"):
        begin(path, clock, *argv)
    assert path.read_bytes() == before
    starts, second = begin(path, clock, *argv, "--fresh")
    assert starts
    assert path.read_bytes() != before
    first.close()
    second.close()


def test_a_broken_world_does_not_keep_a_new_one_from_starting(
    path: Path, clock: ManualClock
) -> None:
    path.parent.mkdir(parents=True)
    path.write_text('{"version":99}\n')
    _, pulse = begin(path, clock)
    assert WorldFile(path).read().entries == ()
    pulse.close()


def test_two_that_start_at_once_end_in_one_world(path: Path, clock: ManualClock) -> None:
    begun: list[tuple[bool, Pulse]] = []
    threads = [threading.Thread(target=lambda: begun.append(begin(path, clock))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(starts for starts, _ in begun) == [False] * 5 + [True]
    for _, pulse in begun:
        pulse.close()


def test_an_injection_returns_once_it_has_begun(path: Path, clock: ManualClock) -> None:
    begin(path, clock)[1].close()
    clock.advance(30)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds)

    assert "outage begins" in demo.inject(path, "outage", clock, sleep)
    (entry,) = WorldFile(path).read().entries
    assert slept and entry.at <= clock.now
    assert "already" in demo.inject(path, "outage", clock, sleep)
    assert "healed" in demo.inject(path, CALM, clock, sleep)
    assert "nothing was wrong" in demo.inject(path, CALM, clock, sleep)
    assert len(WorldFile(path).read().entries) == 2


def test_an_injection_needs_a_world(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="run `cofa demo` first") as caught:
        demo.main(["--inject", "outage"], {"HOME": str(tmp_path)})
    assert caught.value.failure.kind is FailureKind.MISSING
    assert not (tmp_path / ".local").exists(), "asking changes nothing"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["meteor"], "'meteor' is no scenario; there are calm, replica-crash"),
        (["--inject", "\x1b[31m"], "is no scenario"),
        (["--inject", "outage", "calm"], "no other option"),
        (["--inject", "outage", "--fresh"], "no other option"),
        (["--speed", "0"], "between 1 and 1000"),
        (["--speed", "nan"], "between 1 and 1000"),
        (["--speed", "fast"], "--help"),
        (["--seed", "1.5"], "--help"),
        (["--colour"], "--help"),
        (["calm", "outage"], "--help"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(argv: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        demo.parse(argv)
    assert caught.value.exit_code == 64
    assert "\x1b" not in str(caught.value)
