"""`cofa glance`: arguments, output, exit codes."""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from console.commands import glance
from console.errors import UsageError
from console.model.snapshot import Readings, Snapshot


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, dict[str, Any]]]:
    """Runs the command over a Snapshot; gives code, output, and how it was asked for."""

    def runner(shown: Snapshot, *argv: str, **environ: str) -> tuple[int, str, dict[str, Any]]:
        asked: dict[str, Any] = {}

        def see_once(args: Any, environ: Any, *, fresh: bool, spare: Any) -> Snapshot:
            asked.update(vars(args), fresh=fresh)
            return shown

        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        monkeypatch.setattr("console.commands.seeing.see_once", see_once)
        monkeypatch.setattr("sys.stdout", out)
        code = glance.main(argv, environ)
        out.flush()
        return code, out.buffer.getvalue().decode(), asked  # type: ignore[attr-defined]

    return runner


def test_exit_codes_are_the_verdict(scenes: ModuleType, run: Any) -> None:
    dead = scenes.backend(*(scenes.exited(f"shop-backend-{i}") for i in (1, 2, 3)))
    good = scenes.readings()
    worlds = [
        (good, 0, "OK"),
        (scenes.with_alerts(scenes.alert("QueueLong")), 1, "DEGRADED"),
        (replace(good, fleet=scenes.source("engine", scenes.fleet(backend=dead))), 2, "CRITICAL"),
        (replace(good, metrics=scenes.blinded(good.metrics)), 3, "UNKNOWN"),
        (Readings(), 3, "UNKNOWN"),
    ]
    for seen, code, word in worlds:
        got, text, _ = run(scenes.snapshot(seen))
        assert got == code
        assert text.splitlines()[1].split()[0] == word


def test_json_is_ascii_and_whole(scenes: ModuleType, run: Any) -> None:
    shown = replace(scenes.snapshot(scenes.readings()), environment="produção")
    code, text, asked = run(shown, "--json", "--fresh", "--env", "produção")
    assert code == 0 and text.isascii() and text.endswith("}\n")
    assert json.loads(text)["environment"] == "produção"
    assert asked["fresh"] is True and asked["env"] == "produção"


def test_a_pipe_gets_80_columns_without_colour(scenes: ModuleType, run: Any) -> None:
    _, text, asked = run(scenes.snapshot(scenes.readings()), COLUMNS="200", TERM="xterm")
    assert "\x1b" not in text and asked["fresh"] is False
    assert max(len(item) for item in text.splitlines()) == 80
    _, text, _ = run(scenes.snapshot(scenes.readings()), "--width", "120", "--ascii")
    assert text.isascii()
    assert max(len(item) for item in text.splitlines()) == 120


def test_a_pipe_gets_every_finding(scenes: ModuleType, run: Any) -> None:
    many = [scenes.alert(f"Alert{i}") for i in range(60)]
    _, text, _ = run(scenes.snapshot(scenes.with_alerts(*many)))
    assert text.count(" fires") == 60


@pytest.mark.parametrize(
    "argv", [("--width", "7"), ("--width", "x"), ("--nope",), ("extra",), ("--width", "1000000")]
)
def test_usage_errors(argv: tuple[str, ...], run: Any, scenes: ModuleType) -> None:
    with pytest.raises(UsageError):
        run(scenes.snapshot(scenes.readings()), *argv)


def test_an_encoding_without_blocks_gets_ascii(scenes: ModuleType) -> None:
    args = glance._arguments(())
    for encoding in ("ascii", "latin-1"):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        shown = replace(scenes.snapshot(scenes.readings()), environment="漢字")
        glance.say(shown, args, {}, out)
        assert b"cofa ??" in out.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def broken_pipe() -> Iterator[io.TextIOWrapper]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as out:
        yield out


def test_a_reader_that_has_gone_is_no_error(
    scenes: ModuleType, broken_pipe: io.TextIOWrapper
) -> None:
    glance.say(scenes.snapshot(scenes.readings()), glance._arguments(()), {}, broken_pipe)
    broken_pipe.write("more, to where nobody reads")
    broken_pipe.flush()


def test_a_closed_standard_output_still_gives_the_exit_code(
    scenes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = scenes.snapshot(scenes.with_alerts(scenes.alert("QueueLong")))
    monkeypatch.setattr("console.commands.seeing.see_once", lambda *_, **__: shown)
    monkeypatch.setattr("sys.stdout", None)
    assert glance.main((), {}) == 1
