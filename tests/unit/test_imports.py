"""What is loaded when: clients late, Textual by the screens alone."""

import subprocess
import sys

import pytest

CLIENTS = {"docker", "httpx", "paramiko", "boto3", "botocore", "prometheus_api_client", "requests"}
SCREEN = {"textual", "rich"}


def loaded(code: str) -> set[str]:
    """Top-level modules that are loaded after `code` in a fresh interpreter."""
    script = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "console.__main__",
        "console.commands.glance",
        "console.commands.console",
        "console.commands.demo",
        "console.commands.seeing",
        "console.commands.wiring",
        "console.watch.live",
        "console.rehearsal",
    ],
)
def test_a_command_loads_neither_clients_nor_screens_before_it_needs_them(module: str) -> None:
    assert not loaded(f"import {module}") & (CLIENTS | SCREEN)


def test_the_first_paint_loads_no_client() -> None:
    assert not loaded("import screens.app") & CLIENTS


def test_the_screens_load_nothing_heavy_of_textual() -> None:
    modules = loaded("import screens.app")
    assert "textual" in modules
    assert not modules & {"tree_sitter", "PIL", "numpy"}
