"""Lines of keys in TOML: checked against tomllib over texts of every form."""

import random
import tomllib
from typing import Any

import pytest

from console.config.locator import KeyPath, locate, path_text

TEXT = """\
# a comment with [brackets] and = signs
version = 1

[environments.production]          # a table
engine.address = "unix:///x"       # a dotted key
projects = [
  "a", # one
  "b",
]
"quoted.key" = 'it'

[[environments.production.edges]]
name = "one"
note = '''
[not.a.table]
key = "no key"
'''
[[environments.production.edges]]
name = "two"
text = \"\"\"
[[nor.this]]  \\"\"\" still
x = 1\"\"\"
when = 1979-05-27 07:32:00
[environments.production.edges.inner]
deep = { a = 1, b = { c = [ 2, 3 ] } }
[environments.'with space'.policy]
burn = [
  { long = "1h" },
  { long = "6h", short = "30m" },
]
"""


def lines_of(text: str) -> Any:
    tomllib.loads(text)  # the locator is only for valid TOML
    return locate(text)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("version",), "version = 1"),
        (("environments", "production"), "[environments.production]"),
        (("environments", "production", "engine", "address"), "engine.address"),
        (("environments", "production", "projects", 1), '"b"'),
        (("environments", "production", "quoted.key"), '"quoted.key"'),
        (("environments", "production", "edges", 0, "name"), 'name = "one"'),
        (("environments", "production", "edges", 0, "note"), "note = "),
        (("environments", "production", "edges", 1), "[[environments.production.edges]]"),
        (("environments", "production", "edges", 1, "name"), 'name = "two"'),
        (("environments", "production", "edges", 1, "when"), "when"),
        (("environments", "production", "edges", 1, "inner", "deep", "b", "c", 1), "deep"),
        (("environments", "with space", "policy", "burn", 1, "short"), 'short = "30m"'),
    ],
)
def test_a_key_stands_on_its_line(path: KeyPath, words: str) -> None:
    assert path in lines_of(TEXT)
    line = lines_of(TEXT).of(path)
    assert words in TEXT.splitlines()[line - 1]


def test_what_only_looks_like_a_table_inside_a_string_is_none() -> None:
    assert ("not",) not in lines_of(TEXT)
    assert ("nor",) not in lines_of(TEXT)


def test_an_unknown_path_is_on_the_line_of_its_table() -> None:
    found = lines_of(TEXT)
    table = found.of(("environments", "production"))
    assert found.of(("environments", "production", "missing", "more")) == table
    assert found.of(("nothing",)) is None


def keys_of(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    found = {path} if path else set()
    for key, item in items:
        found |= keys_of(item, (*path, key))
    return found


def random_value(rng: random.Random, depth: int) -> str:
    choices = ["1", "-2.5e3", "true", '"a # b"', "'c ] d'", '"""e\nf"""', "'''\n[g]\n'''"]
    choices += ["2020-01-02T03:04:05Z", '"\\"\\\\"', "0x1F", '"""" quoted """"', "''"]
    if depth:
        inner = [random_value(rng, depth - 1) for _ in range(rng.randrange(3))]
        choices.append("[ " + ",\n # x ]\n ".join(inner) + " ]")
        plain = [f"k{n} = {random_value(rng, 0)}" for n in range(rng.randrange(3))]
        choices.append("{ " + ", ".join(plain) + " }")
    return rng.choice(choices)


@pytest.mark.parametrize("seed", range(60))
def test_every_key_that_tomllib_sees_is_located(seed: int) -> None:
    rng = random.Random(seed)
    parts: list[str] = []
    for table in range(4):
        name = rng.choice([f"t{table}", f"t{table}.sub", f"'t {table}'"])
        parts.append(rng.choice([f"[{name}]", f"[[ {name} ]]", f"[[{name}]]\nz=0\n[[{name}]]"]))
        for number in range(rng.randrange(4)):
            key = rng.choice([f"k{number}", f"k{number}.x . y", f'"k {number}"', f"'k.{number}'"])
            parts.append(f"{key}={random_value(rng, 2)} # end")
    text = "\n".join(parts)
    located = lines_of(text)
    missing = {path for path in keys_of(tomllib.loads(text)) if path not in located}
    assert not missing


def test_a_path_reads_as_people_write_it() -> None:
    path = ("environments", "production", "edges", 0, "url")
    assert path_text(path) == "environments.production.edges[0].url"
    assert path_text(("policy", "/auth/login")) == 'policy."/auth/login"'


def test_text_that_is_no_toml_is_no_reason_to_fail() -> None:
    assert locate("[[[ = ]\n'''").of(("x",)) is None
