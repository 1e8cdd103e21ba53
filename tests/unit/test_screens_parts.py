"""The parts of the console that need no screen."""

import io

import pytest

from console.errors import UsageError
from screens.fuzzy import score
from screens.logbook import KEPT, Entry, Logbook
from screens.options import THEMES, Options, fitting_theme
from screens.prompt import TYPED_MOST, Field, Prompt, Taken
from screens.save import safe, save
from screens.splitkeys import SplitKeys
from screens.terminal import terminal_trouble, too_small

# Torn escape sequences ---------------------------------------------------------------


def press(keys: SplitKeys, *pressed: str, now: float = 0.0, typing: bool = False) -> list[str]:
    """Which of the keys get through."""
    through = []
    for key in pressed:
        character = None if len(key) > 1 else key
        if not keys.swallow(key, character, now, typing=typing):
            through.append(key)
    return through


def test_a_torn_arrow_leaves_only_esc():
    assert press(SplitKeys(), "escape", "[", "A", "j") == ["escape", "j"]


def test_a_torn_sequence_with_parameters_goes_entirely():
    assert press(SplitKeys(), "escape", "[", "1", ";", "5", "D", "2") == ["escape", "2"]


def test_a_bare_introducer_begins_a_sequence():
    assert press(SplitKeys(), "[", "B", "q") == ["q"]
    assert press(SplitKeys(), "O", "A", "q") == ["q"]


def test_esc_and_another_key_are_two_keys():
    assert press(SplitKeys(), "escape", "j", "q") == ["escape", "j", "q"]


def test_after_a_second_a_key_is_a_key():
    keys = SplitKeys()
    assert press(keys, "[") == []
    assert press(keys, "A", now=1.5) == ["A"]


def test_typed_brackets_are_text():
    assert press(SplitKeys(), "[", "O", "A", typing=True) == ["[", "O", "A"]
    assert press(SplitKeys(), "escape", "[", "A", "x", typing=True) == ["escape", "x"]


# The terminal ------------------------------------------------------------------------


class Tty(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "stream", "words"),
    [
        ({"TERM": "xterm"}, io.StringIO(), "cofa glance"),
        ({"TERM": "dumb"}, Tty(), "TERM=dumb"),
        ({}, Tty(), "TERM is not set"),
        ({"TERM": "xterm"}, Tty("latin-1"), "ISO8859-1"),
        ({"TERM": "xterm"}, None, "needs a terminal"),
    ],
)
def test_trouble_with_a_terminal_is_said_plainly(environ, stream, words):
    said = terminal_trouble(environ, Tty(), stream, ascii_only=False)
    assert said is not None
    assert words.lower() in said.lower().replace("iso-8859-1", "iso8859-1").replace(
        "latin-1", "iso8859-1"
    )


def test_a_fit_terminal_is_no_trouble():
    assert terminal_trouble({"TERM": "xterm"}, Tty(), Tty(), ascii_only=False) is None
    assert terminal_trouble({"TERM": "xterm"}, Tty(), Tty("latin-1"), ascii_only=True) is None


def test_too_small():
    assert too_small(40, 10) == "cofa needs 60x20, this is 40x10. q quit"
    assert too_small(60, 20) is None
    assert too_small(59, 80) is not None


def test_the_theme_fits_the_terminal():
    assert fitting_theme({"TERM": "xterm-256color"}) == "dark"
    assert fitting_theme({"TERM": "linux"}) == "sixteen"
    assert fitting_theme({"TERM": "xterm-256color", "COLORFGBG": "0;15"}) == "light"


def test_options_come_from_the_environment():
    options = Options.of("p", {"TERM": "xterm", "NO_COLOR": "1", "SSH_TTY": "/dev/pts/1"})
    assert options.no_color and options.over_ssh and not options.ascii
    assert not Options.of("p", {"NO_COLOR": ""}).no_color


def test_an_unknown_theme_names_those_there_are():
    with pytest.raises(UsageError, match="dark, light"):
        Options.of("p", {}, theme="nope")


@pytest.mark.parametrize("name", THEMES)
def test_every_theme_styles_the_same_words(name):
    from screens.look import load_look

    dark, look = load_look("dark"), load_look(name)
    assert set(look.styles) == set(dark.styles)
    assert look.style("p0").reverse or look.style("p0").bgcolor != look.base.bgcolor
    assert look.style("p1").bold and not look.style("p2").bold
    if name == "plain":
        assert not any(style.color or style.bgcolor for style in look.styles.values())


def test_red_is_kept_for_armed():
    from screens.look import load_look

    for name in THEMES:
        for word, style in load_look(name).styles.items():
            for colour in (style.color, style.bgcolor):
                if word != "armed" and colour is not None and colour.triplet is not None:
                    red, green, blue = colour.triplet
                    assert not (red > 150 and green < 60 and blue < 60), (name, word)


# Typing ------------------------------------------------------------------------------


def test_a_field_edits_as_a_shell_does():
    field = Field()
    field.insert("one two")
    assert field.edit("ctrl+w") and field.text == "one "
    assert field.edit("home") and field.edit("delete") and field.text == "ne "
    assert field.edit("end") and field.edit("backspace") and field.text == "ne"
    assert field.edit("left") and field.edit("ctrl+k") and field.text == "n"
    assert field.edit("ctrl+u") and field.text == ""
    assert not field.edit("f1")


def test_a_pasted_text_is_one_clean_line_of_bounded_length():
    field = Field()
    field.insert("a\x1b[31mb\nc" + "x" * 10_000)
    assert field.text.startswith("ab cxx") and len(field.text) == TYPED_MOST


def test_a_prompt_takes_letters_and_leaves_esc():
    prompt = Prompt()
    prompt.open("/", "ab")
    assert prompt.take("c", "c") is Taken.TYPED and prompt.text == "abc"
    assert prompt.take("escape", "\x1b") is Taken.NOT
    assert prompt.take("enter", "\r") is Taken.DONE and not prompt.is_open


def test_a_prompt_fits_its_line():
    from console.present.lines import columns_of

    prompt = Prompt()
    prompt.open("/", "日本" * 100)
    assert columns_of(prompt.line(80)) == 80


# Matching ------------------------------------------------------------------------------


def test_better_matches_score_higher():
    query = "back"
    order = ["back", "backend", "shop-backend", "playback", "bracket"]
    scores = [score(query, text) or 0 for text in order]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0
    assert score("zz", "backend") is None


# Logs ----------------------------------------------------------------------------------


def entries(count: int, start: int = 0) -> list[Entry]:
    """Lines of one replica, a second apart."""
    return [Entry(f"line {n}", "web-1", 1000.0 + n) for n in range(start, start + count)]


def test_a_log_is_bounded():
    book = Logbook(names={"web-1": "web-1"})
    assert book.add(entries(KEPT)) == 0
    assert book.add(entries(7, KEPT)) == 7
    assert len(book.entries) == KEPT and "line 7" in str(book.rows[0])


def test_a_line_of_a_megabyte_takes_a_few_rows():
    book = Logbook(names={"web-1": "web-1"})
    book.add([Entry("x" * 1_000_000, "web-1", 1.0)])
    assert len(book.rows) <= 40


def test_a_log_read_twice_is_not_shown_twice():
    book = Logbook(names={"web-1": "web-1"})
    book.add(entries(5))
    book.twice.add("web-1")
    book.add(entries(8))
    assert [entry.text for entry in book.entries] == [f"line {n}" for n in range(8)]


def test_lines_said_twice_are_shown_twice():
    book = Logbook(names={"web-1": "web-1"})
    book.add([Entry("again", "web-1", 1.0), Entry("again", "web-1", 1.0)])
    assert len(book.entries) == 2


def test_search_marks_what_it_finds():
    book = Logbook(names={"web-1": "web-1"})
    book.add(entries(20))
    book.search("LINE 1")
    assert len(book.hits) == 11
    assert ("line 1", "hit") in book.row(1)


def test_another_width_keeps_the_lines():
    book = Logbook(names={"web-1": "web-1"})
    book.add([Entry("word " * 60, "web-1", 1.0), *entries(3)])
    wide = len(book.rows)
    book.fit(160, wrap=True)
    assert len(book.rows) < wide and len(book.entries) == 4
    book.fit(80, wrap=False)
    assert len(book.rows) == 4


# Files ---------------------------------------------------------------------------------


def test_a_file_is_new_and_private(tmp_path):
    first = save("../../etc/passwd", ["one"], 0.0, tmp_path)
    second = save("../../etc/passwd", ["two"], 0.0, tmp_path)
    assert first.parent == second.parent == tmp_path and first != second
    assert first.read_text() == "one\n" and first.stat().st_mode & 0o777 == 0o600


def test_names_of_files_are_plain():
    assert safe("a/b c\n日本") == "a-b-c" and safe("...") == "screen"
