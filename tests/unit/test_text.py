"""Text from outside cannot drive a terminal, reorder itself, or flood the screen."""

import pytest

from console.text import clean, clean_lines


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("[bold]markup[/nope]", "[bold]markup[/nope]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        ("\x1bP1$tdcs\x1b\\after", "after"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bcreset", "reset"),
        ("cut \x1b[", "cut "),
        ("tab\there\nnow", "tab here now"),
        ("bi\u202edi\u2066x", "bidix"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07 back\x08", "bell back"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u65e5\u672c", "\u65e5\u672c"),
        ("tag\U000e0041s", "tags"),
    ],
)
def test_clean(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_nothing_that_is_cleaned_has_a_control_character() -> None:
    everything = "".join(map(chr, range(0x2100))) + "\x1b[1;2H" * 3
    assert all(character.isprintable() for character in clean(everything, 100_000))


def test_a_line_of_a_megabyte_is_cut_and_counted() -> None:
    shown = clean("x" * 1_000_000, 100)
    assert shown == "x" * 100 + " ... 999900 more characters"


def test_an_escape_sequence_that_straddles_the_cut_leaves_nothing() -> None:
    assert "\x1b" not in clean("x" * 99 + "\x1b[31m", 101)


def test_lines_are_bounded_in_number_and_length() -> None:
    lines = clean_lines("a\r\nb\x1b[2J\n" + "c\n" * 1000, limit=4, line_limit=10)
    assert lines == ("a", "b", "c", "c")


def test_clean_is_idempotent() -> None:
    once = clean("\x1b[31m\u202eX\x00\x1b")
    assert clean(once) == once
