"""cofa's own log and crash files carry no secrets."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.diagnostics import redact, start_log, write_crash
from console.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of({"HOME": str(tmp_path)})


@pytest.fixture
def root_log() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield root
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://shop:hunter2@db:5432/shop",
        "Authorization: Bearer hunter2",
        "POSTGRES_PASSWORD=hunter2",
        'aws_secret_access_key = "hunter2"',
        "{'api_key': 'hunter2'}",
    ],
)
def test_what_looks_like_a_secret_goes(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_ordinary_words_stay() -> None:
    text = "source prometheus http://prod-1:9090 answered 401"
    assert redact(text) == text


def test_the_log_is_private_and_redacted(paths: Paths, root_log: logging.Logger) -> None:
    path = start_log(paths, debug=False)
    assert path is not None
    logging.getLogger("cofa.test").info("token=hunter2 and more")
    assert "token=*** and more" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("debug", [False, True])
def test_a_refused_tunnel_fills_no_log(paths: Paths, root_log: logging.Logger, debug: bool) -> None:
    path = start_log(paths, debug=debug)
    assert path is not None
    logging.getLogger("paramiko.transport").error("Secsh channel 14 open FAILED")
    assert path.exists() == debug


def test_a_crash_file_has_versions_and_frames_but_no_locals(paths: Paths) -> None:
    def broken() -> None:
        password = "hunter2"
        raise RuntimeError(f"failed with password={password}")

    try:
        broken()
    except RuntimeError as error:
        path = write_crash(paths, error)
    assert path is not None
    text = path.read_text()
    assert "in broken" in text
    assert sys.version.split()[0] in text
    assert "hunter2'" not in text
    assert "password=***" in text
