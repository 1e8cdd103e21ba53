"""The world's file: whole lines, two writers, a crash in the middle, other versions."""

import json
import threading
from pathlib import Path

import pytest

from console.errors import FailureKind, LinkError
from console.rehearsal.log import ENTRIES_MOST, Header, Injection, Log, Pulse, WorldFile
from console.rehearsal.scenarios import CALM, SCENARIOS

START = Log(Header(seed=7, speed=10.0, started_at=1_795_000_000.0))


@pytest.fixture
def file(tmp_path: Path) -> WorldFile:
    world = WorldFile(tmp_path / "rehearsal" / "world.jsonl")
    world.create(START)
    return world


def entry(number: int, scenario: str = "outage") -> Injection:
    return Injection(START.header.started_at + number, scenario)


def test_what_was_appended_is_read(file: WorldFile) -> None:
    for number, name in enumerate(SCENARIOS):
        file.append(lambda log, number=number, name=name: entry(number, name))  # type: ignore[misc]
    log = WorldFile(file.path).read()
    assert log.header == START.header
    assert [item.scenario for item in log.entries] == list(SCENARIOS)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_reader_sees_what_another_appends_and_a_world_put_in_its_place(file: WorldFile) -> None:
    reader = WorldFile(file.path)
    assert reader.read().entries == ()
    file.append(lambda log: entry(1))
    assert reader.read().entries == (entry(1),)
    other = Log(Header(8, 1.0, 5.0), (entry(2, "bad-release"),))
    file.create(other)
    assert reader.read() == other


def test_nothing_is_written_where_nothing_is_decided(file: WorldFile) -> None:
    before = file.path.read_bytes()
    assert file.append(lambda log: None) is None
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    "torn", [b'{"at":17950', b'{"at":1795000001.0,"scenario":"outage"', b"\xff"]
)
def test_a_line_torn_by_a_crash_is_not_read_and_then_removed(file: WorldFile, torn: bytes) -> None:
    file.append(lambda log: entry(1))
    with file.path.open("ab") as raw:
        raw.write(torn)
    assert file.read().entries == (entry(1),)
    file.append(lambda log: entry(2, CALM))
    assert file.read().entries == (entry(1), entry(2, CALM))
    assert all(json.loads(line) for line in file.path.read_bytes().splitlines())


def test_writers_side_by_side_lose_nothing(file: WorldFile) -> None:
    def write(first: int) -> None:
        own = WorldFile(file.path)
        for number in range(first, first + 25):
            own.append(lambda log, number=number: entry(number))  # type: ignore[misc]

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = sorted(item.at - START.header.started_at for item in file.read().entries)
    assert found == [float(f + n) for f in (0, 100, 200, 300) for n in range(25)]


def test_a_decision_sees_every_line_before_it(file: WorldFile) -> None:
    """Four writers, each adding one to the count that it reads: none may read an old one."""

    def write() -> None:
        own = WorldFile(file.path)
        for _ in range(20):
            own.append(lambda log: entry(len(log.entries)))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [item.at - START.header.started_at for item in file.read().entries] == list(range(80))


def test_the_file_is_bounded(file: WorldFile) -> None:
    file.create(Log(START.header, tuple(entry(number) for number in range(ENTRIES_MOST))))
    with pytest.raises(LinkError, match="most there may be") as caught:
        file.append(lambda log: entry(ENTRIES_MOST))
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    assert "--fresh" in caught.value.failure.remedy
    assert len(file.read().entries) == ENTRIES_MOST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version":2,"seed":1,"speed":1,"started_at":1}\n', "format 2"),
        ('{"version":true,"seed":1,"speed":1,"started_at":1}\n', "format True"),
        ('{"seed":1}\n', "format unknown"),
        ('{"version":"\\u001b[31m1","seed":1}\n', "format 1,"),
        ("[1]\n", "line 1"),
        ("", "no header"),
        ('{"version":1', "no header"),
        ('{"version":1,"seed":"x","speed":1,"started_at":1}\n', "line 1"),
        ('{"version":1,"seed":1,"speed":0,"started_at":1}\n', "line 1"),
        ('{"version":1,"seed":1,"speed":NaN,"started_at":1}\n', "line 1"),
        ('{"version":1,"seed":1,"speed":1,"started_at":1}\nnonsense\n', "line 2"),
        ('{"version":1,"seed":1,"speed":1,"started_at":1}\n{"at":1}\n', "line 2"),
        (
            '{"version":1,"seed":1,"speed":1,"started_at":1}\n'
            '{"at":1,"scenario":"meteor","head_start":0}\n',
            "line 2",
        ),
        (
            '{"version":1,"seed":1,"speed":1,"started_at":1}\n'
            '{"at":Infinity,"scenario":"outage","head_start":0}\n',
            "line 2",
        ),
        ('{"version":1,"x":' + "[" * 50_000 + "\n", "line 1"),
        ("x" * 300_000, "longer than"),
    ],
)
def test_what_is_no_world_of_ours_is_refused_with_the_way_out(
    file: WorldFile, text: str, said: str
) -> None:
    file.path.write_text(text)
    with pytest.raises(LinkError, match=said) as caught:
        file.read()
    failure = caught.value.failure
    assert failure.kind is FailureKind.INVALID
    assert str(file.path) in failure.subject
    assert "cofa demo --fresh" in failure.remedy
    assert "\x1b" not in str(caught.value)
    with pytest.raises(LinkError, match=said):
        file.append(lambda log: entry(1))


def test_no_world_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="run `cofa demo` first") as caught:
        WorldFile(tmp_path / "world.jsonl").read()
    assert caught.value.failure.kind is FailureKind.MISSING
    with pytest.raises(LinkError, match="run `cofa demo` first"):
        WorldFile(tmp_path / "world.jsonl").append(lambda log: entry(1))


def test_a_directory_in_its_place_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="Is a directory"):
        WorldFile(tmp_path).read()


def test_the_pulse_says_whether_a_console_is_open(tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    mine, other = Pulse(path), Pulse(path)
    seen = [other.held]
    mine.hold()
    seen.append(other.held)
    mine.close()
    seen.append(other.held)
    mine.close()
    assert seen == [False, True, False]


def test_only_one_decides_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    inside: list[str] = []
    waiting = threading.Event()

    def decide() -> None:
        waiting.set()
        with Pulse(path).deciding():
            inside.append("second")

    with Pulse(path).deciding():
        thread = threading.Thread(target=decide)
        thread.start()
        assert waiting.wait(10)
        inside.append("first")
    thread.join(10)
    assert inside == ["first", "second"]
