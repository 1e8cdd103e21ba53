"""The Makefile finds a Python that works, on whatever machine it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def chosen(folder: Path) -> str:
    """What PYTHON is where `folder` comes first on PATH."""
    done = subprocess.run(
        ["make", "--silent", "--eval=chosen: ; @echo $(PYTHON)", "chosen"],
        cwd=ROOT,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "broken",
    [
        "echo 'python3.14: not in this version of pyenv' >&2; exit 127",
        "exit 1  # no ensurepip: Debian without python3-venv",
    ],
)
def test_a_newer_python_that_does_not_work_is_passed_over(tmp_path: Path, broken: str) -> None:
    for name in ("python3.14", "python3.13", "python3.12"):
        program(tmp_path / name, broken)
    program(tmp_path / "python3.11", f'exec {sys.executable} "$@"')

    assert chosen(tmp_path) == "python3.11"


def test_where_none_works_there_still_is_one_to_complain_of(tmp_path: Path) -> None:
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python3"):
        program(tmp_path / name, "exit 1")

    assert chosen(tmp_path) == "python3"
