"""The registry of keys: bindings, the last line, help and the palette derive from it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Where(StrEnum):
    """On which screen a key works."""

    EVERYWHERE = "everywhere"
    GLANCE = "Glance"
    FLEET = "Fleet"
    LOGS = "logs"
    HELP = "help"
    PALETTE = "palette"


@dataclass(frozen=True, slots=True)
class Key:
    """What one key does."""

    keys: tuple[str, ...]
    """Textual's names."""
    shown: str
    """As it is printed: ``Enter``, ``/``."""
    action: str
    label: str
    """A word or two for the last line."""
    help: str
    """One sentence for the help screen."""
    where: tuple[Where, ...] = (Where.EVERYWHERE,)
    footer: int = 0
    """Place on the last line, 1 is the first to stay; 0 is not on it."""
    dangerous: bool = False
    """It may change production: neither shown nor bound while observing."""


@dataclass(frozen=True, slots=True)
class Place:
    """A screen that a digit opens."""

    digit: str
    mode: str
    name: str
    help: str


PLACES: Final = (
    Place("1", "glance", "Glance", "whether production is well, and what is wrong"),
    Place("2", "fleet", "Fleet", "services and replicas"),
)

_LISTS: Final = (Where.GLANCE, Where.FLEET)
_SCROLLED: Final = (Where.GLANCE, Where.FLEET, Where.LOGS, Where.HELP)

_MOVING: Final = (
    Key(("down", "j"), "j, Down", "move(1)", "down", "one line down", _SCROLLED),
    Key(("up", "k"), "k, Up", "move(-1)", "up", "one line up", _SCROLLED),
    Key(("pagedown", "space"), "PgDn", "page(1)", "page", "one page down", _SCROLLED),
    Key(("pageup",), "PgUp", "page(-1)", "page", "one page up", _SCROLLED),
    Key(("g", "home"), "g", "top", "top", "to the first line", _SCROLLED),
    Key(("G", "end"), "G", "bottom", "bottom", "to the last line; logs follow again", _SCROLLED),
    Key(("tab",), "Tab", "next_pane", "pane", "to the next pane", _LISTS),
)

_GOING: Final = (
    Key(("enter",), "Enter", "open", "open", "opens what is selected", _LISTS, footer=1),
    Key(
        ("escape",),
        "Esc",
        "back",
        "back",
        "clears the filter, closes the pane, leaves to the same row",
        (*_SCROLLED, Where.PALETTE),
        footer=5,
    ),
    Key(("slash",), "/", "filter", "filter", "shows only what contains a text", _LISTS, footer=6),
)

_FLEET: Final = (
    Key(("l",), "l", "logs", "logs", "follows its log; a service's replicas are merged",
        _LISTS, footer=2),
    Key(("L",), "L", "crash_logs", "logs before the crash",
        "the log of the instance before the present one", _LISTS, footer=3),
    Key(("F",), "F", "faults", "faults only", "shows only what is in trouble",
        (Where.FLEET,), footer=4),
    Key(("s",), "s", "sort", "sort", "sorts by the next column", (Where.FLEET,), footer=7),
    Key(("right",), "Right", "fold(False)", "unfold", "shows a service's replicas",
        (Where.FLEET,)),
    Key(("left",), "Left", "fold(True)", "fold", "hides a service's replicas", (Where.FLEET,)),
)  # fmt: skip

_LOGS: Final = (
    Key(("P",), "P", "pause", "pause", "stops following, or follows again",
        (Where.LOGS,), footer=1),
    Key(("slash",), "/", "filter", "search", "searches the log", (Where.LOGS,), footer=2),
    Key(("n",), "n", "hit(1)", "next", "to the next place found", (Where.LOGS,), footer=3),
    Key(("N",), "N", "hit(-1)", "previous", "to the previous place found", (Where.LOGS,),
        footer=4),
    Key(("L",), "L", "crash_logs", "before the crash",
        "the log of the instance before, or of the present one", (Where.LOGS,), footer=5),
    Key(("W",), "W", "wrap", "wrap", "wraps long lines, or cuts them", (Where.LOGS,), footer=7),
)  # fmt: skip

_ANYWHERE: Final = (
    Key(("colon", "ctrl+p"), ":", "app.palette", "go to",
        "jumps to a screen, service, replica, finding; commands",
        _SCROLLED, footer=8),
    Key(("minus",), "-", "app.last_place", "last screen", "to the screen before this one",
        _SCROLLED),
    Key(("c",), "c", "copy", "copy", "copies the whole value to the clipboard (OSC 52)",
        _SCROLLED),
    Key(("w",), "w", "write", "write", "writes this screen, or the whole log, into a file",
        _SCROLLED, footer=9),
    Key(("R",), "R", "app.refresh_sources", "read now", "reads every source now", _LISTS),
    Key(("question_mark",), "?", "app.help", "help", "this list", _SCROLLED, footer=90),
    Key(("q",), "q", "leave", "quit", "leaves logs and help; otherwise quits",
        _SCROLLED, footer=91),
    Key(("ctrl+q", "ctrl+c"), "Ctrl+Q, Ctrl+C", "app.quit", "quit", "quits at once",
        (Where.EVERYWHERE,)),
    Key(("ctrl+z",), "Ctrl+Z", "app.suspend_process", "suspend", "back to the shell; fg returns",
        (Where.EVERYWHERE,)),
)  # fmt: skip

_DIGITS: Final = tuple(
    Key(
        (place.digit,), place.digit, f"app.place('{place.mode}')", place.name, place.help, _SCROLLED
    )
    for place in PLACES
)

_PALETTE: Final = (
    Key(("down",), "Down", "choose(1)", "down", "to the next match", (Where.PALETTE,)),
    Key(("up",), "Up", "choose(-1)", "up", "to the match before", (Where.PALETTE,)),
    Key(("pagedown",), "PgDn", "choose_page(1)", "page", "one page down", (Where.PALETTE,)),
    Key(("pageup",), "PgUp", "choose_page(-1)", "page", "one page up", (Where.PALETTE,)),
)

KEYS: Final = (*_DIGITS, *_MOVING, *_GOING, *_FLEET, *_LOGS, *_ANYWHERE, *_PALETTE)

ALWAYS_LAST: Final = 90
"""Footer places from here on stand at the right end."""


def keys_of(where: Where, *, changing: bool = False) -> tuple[Key, ...]:
    """The keys that work on one screen; those that change production only if `changing`."""
    return tuple(
        key
        for key in KEYS
        if (where in key.where or Where.EVERYWHERE in key.where) and (changing or not key.dangerous)
    )


def places() -> str:
    """The screens and their digits: ``1 Glance 2 Fleet``."""
    return " ".join(f"{place.digit} {place.name}" for place in PLACES)


def footer(where: Where, width: int, without: frozenset[str] = frozenset()) -> str:
    """The last line: the keys that work now, as many as fit, ``? help  q quit`` at its end.

    `without` names the actions that do nothing at present.
    """
    keys = sorted(
        (key for key in keys_of(where) if key.footer and key.action not in without),
        key=lambda key: key.footer,
    )
    right = "  ".join(_named(key, where) for key in keys if key.footer >= ALWAYS_LAST)
    room = width - len(right) - 3
    left = ""
    for key in keys:
        if key.footer >= ALWAYS_LAST:
            continue
        longer = f"{left}  {_named(key, where)}" if left else _named(key, where)
        if len(longer) > room:
            continue
        left = longer
    return f" {left}{' ' * (room - len(left))} {right} "


def _named(key: Key, where: Where) -> str:
    leaves = key.action == "leave" and where in (Where.LOGS, Where.HELP)
    return f"{key.shown} {'back' if leaves else key.label}"
