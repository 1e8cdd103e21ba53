"""The command itself, in an unfriendly shell: what it says where, and its exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.paths import Paths, home_of


def cofa(
    home: Path, *arguments: bytes | str, redirect: str = "", **environ: str
) -> tuple[int, str]:
    """Exit code and standard error of one command, in a shell that redirects as told."""
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirect}', "sh", sys.executable, "-m", "console", *arguments],
        env={
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": f"unix://{home}/no.sock",
            **environ,
        },
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.decode(errors="replace")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["doctor"], 1),
        (["glance"], 3),
        (["glance", "--json"], 3),
        (["demo", "--list"], 0),
        (["init", "--file", "-"], 3),
    ],
)
def test_with_every_stream_closed_the_exit_code_still_tells(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    assert cofa(tmp_path, *arguments, redirect="<&- >&- 2>&-")[0] == code


@pytest.mark.parametrize("arguments", [["--help"], ["glance"], ["glance", "--json"], ["doctor"]])
def test_a_full_disk_behind_the_output_is_no_defect(tmp_path: Path, arguments: list[str]) -> None:
    code, said = cofa(tmp_path, *arguments, redirect=">/dev/full")
    assert (code, said) == (74, "cofa: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--list"]])
def test_a_reader_that_has_gone_is_no_defect(tmp_path: Path, arguments: list[str]) -> None:
    _, said = cofa(tmp_path, *arguments, redirect="| :")
    assert said == ""


@pytest.mark.parametrize("arguments", [["glance"], ["doctor"], ["doctor", "--json"]])
def test_a_locale_without_the_characters_is_no_defect(tmp_path: Path, arguments: list[str]) -> None:
    home = tmp_path / "höhle漢字"
    home.mkdir()
    code, said = cofa(home, *arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (code, said) == (3 if arguments == ["glance"] else 1, "")


def test_a_path_that_is_no_utf8_is_a_path(tmp_path: Path) -> None:
    code, said = cofa(tmp_path, b"glance", b"--config", b"\xff.toml")
    assert code == 78
    assert "there is no such file" in said


def test_a_user_without_a_home_has_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert home_of({}) == Path("/nonexistent")
    assert Paths.of({}).cache == Path("/nonexistent/.cache/cofa")
