"""Figures in words, columns, sparklines, ANSI."""

import io
from types import ModuleType

import pytest

from console.present import units
from console.present.ansi import coloured, rendered, speaks_unicode, to_ascii
from console.present.columns import cut, left, right, width, wrapped
from console.present.lines import Segment, columns_of, fitted, line, plain, spread
from console.present.spark import sparkline


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "no data"),
        (-3.0, "0 s"),
        (0.9, "0 s"),
        (41.0, "41 s"),
        (60.0, "1 min"),
        (3599.0, "59 min"),
        (3600.0, "1 h"),
        (27 * 3600.0, "27 h"),
        (48 * 3600.0, "2 d"),
        (float("inf"), "no data"),
    ],
)
def test_ages(seconds: float | None, text: str) -> None:
    assert units.age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (13320.0, "3 h 42 min"),
        (21600.0, "6 h"),
        (59.9, "59 s"),
        (0.0, "0 s"),
        (90000.0, "1 d 1 h"),
        (86400.0 + 120, "1 d"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert units.span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.017, "17 ms"), (0.0996, "0.10 s"), (0.21, "0.21 s"), (2.314, "2.31 s"), (14.21, "14.2 s")],
)
def test_measured_times(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1023.9 * 1024, "1.0 MiB"),
        (612 << 20, "612 MiB"),
        (int(1.94 * (1 << 30)), "1.9 GiB"),
        (None, "no data"),
    ],
)
def test_sizes(count: float | None, text: str) -> None:
    assert units.size(count) == text


def test_sizes_against_a_limit_share_its_unit() -> None:
    assert units.sizes(2 << 30, 2 << 30) == "2.0 of 2.0 GiB"
    assert units.sizes(512 << 20, 2 << 30) == "0.5 of 2.0 GiB"
    assert units.sizes(512 << 20, None) == "512 MiB"
    assert units.sizes(None, 2 << 30) == "no data"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "0 %"),
        (0.00001, "<0.01 %"),
        (0.0002, "0.02 %"),
        (0.032, "3.2 %"),
        (0.59, "59 %"),
        (0.991, "99.1 %"),
        (0.99999, "99.9 %"),
        (1.0, "100 %"),
        (None, "no data"),
        (float("nan"), "no data"),
    ],
)
def test_ratios_are_never_rounded_to_none_or_all(ratio: float | None, text: str) -> None:
    assert units.percent(ratio) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 /s"), (212.4, "212 /s"), (0.42, "0.4 /s"), (0.05, "3 /min"), (0.001, "3.6 /h")],
)
def test_rates(value: float, text: str) -> None:
    assert units.rate(value) == text


def test_moments(scenes: ModuleType) -> None:
    now = scenes.NOW
    assert units.clock(now) == "15:42:07Z"
    assert units.iso(now) == "2026-11-22T15:42:07Z"
    assert units.moment(now - 3600, now) == "14:42"
    assert units.moment(now - 20 * 3600, now) == "21 Nov"
    assert units.moment(now - 400 * 86400, now) == "2025"
    assert units.iso(1e18) == "9999-12-31T23:59:59Z"


def test_columns_count_what_a_terminal_shows() -> None:
    assert width("漢字") == 4
    assert width(left("漢字", 7)) == 7
    assert right("9", 3) == "  9"
    assert cut("backend-1234", 8) == "backen.."
    assert cut("backend", 1) == "."
    for room in range(12):
        assert width(cut("漢字漢字a漢", room)) <= room


def test_wrapping_keeps_every_character() -> None:
    text = "a bb " + "c" * 30 + " 漢字漢字漢字"
    lines = wrapped(text, 10)
    assert max(width(item) for item in lines) <= 10
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrapped("", 10) == ("",)


def test_lines_are_spread_and_fitted() -> None:
    both = spread(line("left"), line("right"), 20)
    assert (plain(both), columns_of(both)) == ("left" + " " * 11 + "right", 20)
    assert plain(spread(line("left"), line("right"), 10)) == "left"
    assert plain(fitted(line("abc", Segment("defgh", "p1")), 6)) == "abcd.."


def test_sparklines_show_gaps_as_gaps() -> None:
    assert sparkline([0.0, None, 1.0], 3) == "▁ █"
    assert sparkline([0.0, 0.0], 5) == "▁▁"
    assert sparkline([], 5) == ""
    assert sparkline([1, 1, 9, 1], 2) == "▁█"
    assert sparkline([0.2] * 3, 3, top=2.0) == "▁▁▁"
    assert sparkline([0.0, 1.0], 2, ascii_only=True).isascii()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_that_wants_it() -> None:
    assert coloured(Terminal(), {"TERM": "xterm"})
    assert coloured(Terminal(), {"TERM": "xterm", "NO_COLOR": ""})
    assert not coloured(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert not coloured(Terminal(), {"TERM": "dumb"})
    assert not coloured(Terminal(), {})
    assert not coloured(io.StringIO(), {"TERM": "xterm"})


def test_rendering() -> None:
    lines = (line("a ", Segment("P1", "p1"), "  "), line("▁█漢"))
    assert rendered(lines, colour=False, ascii_only=False) == "a P1\n▁█漢\n"
    assert rendered(lines, colour=True, ascii_only=True) == "a \x1b[1;31mP1\x1b[0m\n_#?\n"
    assert to_ascii("x → y") == "x > y"


def test_streams_without_unicode_are_known() -> None:
    assert speaks_unicode(io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert not speaks_unicode(io.TextIOWrapper(io.BytesIO(), "latin-1"))
    assert not speaks_unicode(io.TextIOWrapper(io.BytesIO(), "ascii"))
