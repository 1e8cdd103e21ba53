"""Secrets: each source, each way it can fail, and never a value in a message."""

import os
import sys
import traceback
from pathlib import Path

import pytest

from console.config import dotenv
from console.config.environment import SecretRef
from console.config.secrets import SIZE_LIMIT, resolve_secret
from console.errors import FailureKind, LinkError

ENVIRON = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TOKEN": "hunter2"}


def python(code: str) -> SecretRef:
    return SecretRef(command=(sys.executable, "-c", code))


def refused(ref: SecretRef, **options: float) -> LinkError:
    with pytest.raises(LinkError) as caught:
        resolve_secret(ref, ENVIRON, **options)  # type: ignore[arg-type]
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.failure)
    assert "hunter2" not in shown
    return caught.value


def test_from_the_environment() -> None:
    assert resolve_secret(SecretRef(env="TOKEN"), ENVIRON).reveal() == "hunter2"
    error = refused(SecretRef(env="ABSENT"))
    assert error.failure.kind is FailureKind.MISSING
    assert "ABSENT" in str(error) and "export" in error.failure.remedy


@pytest.mark.parametrize("text", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_one_line_end_of_a_file_is_no_part_of_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(text.encode())
    assert resolve_secret(SecretRef(file=path), ENVIRON).reveal() == "hunter2"


def test_spaces_of_a_file_are_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(" hunter2 \n")
    assert resolve_secret(SecretRef(file=path), ENVIRON).reveal() == " hunter2 "


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"hunter2\n\n", "more than one line"),
        (b"user: x\nhunter2\n", "more than one line"),
        (b"hunter2\0", "more than one line"),
        (b"hunter2\xff", "UTF-8"),
        (b"hunter2" * SIZE_LIMIT, "larger than 64 KiB"),
    ],
)
def test_a_file_that_holds_no_secret(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(data)
    assert words in str(refused(SecretRef(file=path)))


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(SecretRef(file=tmp_path / "absent")).failure.kind is FailureKind.MISSING
    assert refused(SecretRef(file=tmp_path)).failure.kind is FailureKind.INVALID
    os.mkfifo(tmp_path / "pipe")
    assert refused(SecretRef(file=tmp_path / "pipe")).failure.kind is FailureKind.INVALID
    assert "regular" in str(refused(SecretRef(file=Path("/dev/zero"))))


def test_from_a_command() -> None:
    assert resolve_secret(python("print('hunter2')"), ENVIRON).reveal() == "hunter2"


def test_a_command_gets_the_environment_and_no_input() -> None:
    code = "import os, sys; print(os.environ['TOKEN'] + sys.stdin.read())"
    assert resolve_secret(python(code), ENVIRON).reveal() == "hunter2"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('hunter2'); sys.exit(3)", "exit code 3"),
        ("import sys; sys.exit('hunter2 is wrong')", "exit code 1"),
        ("pass", "empty"),
        ("while True: print('hunter2' * 1000)", "larger than 64 KiB"),
        ("print('hunter2\\nmore')", "more than one line"),
    ],
)
def test_a_command_that_gives_no_secret(code: str, words: str) -> None:
    assert words in str(refused(python(code)))


def test_a_command_that_is_not_there() -> None:
    error = refused(SecretRef(command=("/nowhere/at-all", "hunter2")))
    assert error.failure.kind is FailureKind.MISSING


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    error = refused(python(code), limit=2.0)
    assert error.failure.kind is FailureKind.TIMEOUT
    child = int(note.read_text())
    assert ended(child), "the command's child still runs"


def ended(pid: int) -> bool:
    """Whether the process is gone, or dead and waiting for its parent, within seconds."""
    import time

    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_keeps_the_pipe_does_not_hold_us() -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('hunter2')"
    )
    assert refused(python(code), limit=2.0).failure.kind is FailureKind.TIMEOUT


def test_from_an_env_file_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\nAWS_SECRET_ACCESS_KEY='hunter2'  # the key\n")
    ref = SecretRef(env_file=path, key="AWS_SECRET_ACCESS_KEY")
    assert resolve_secret(ref, ENVIRON).reveal() == "hunter2"
    error = refused(SecretRef(env_file=path, key="ABSENT"))
    assert error.failure.kind is FailureKind.MISSING


def test_from_an_env_file_of_another_host() -> None:
    asked: list[tuple[str, Path]] = []

    def remote(host: str, path: Path) -> bytes:
        asked.append((host, path))
        return b"KEY=hunter2\n"

    ref = SecretRef(env_file=Path("/srv/.env"), key="KEY", host="prod-1")
    assert resolve_secret(ref, ENVIRON, remote).reveal() == "hunter2"
    assert asked == [("prod-1", Path("/srv/.env"))]
    assert refused(ref).failure.kind is FailureKind.UNSUPPORTED


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("export A=plain", "plain"),
        ("A = spaced ", "spaced"),
        ("A=false       # CRITICAL", "false"),
        ("A=with#hash", "with#hash"),
        ("A='single $X'", "single $X"),
        ('A="double \\"q\\" # kept"', 'double "q" # kept'),
        ('A="two\\nlines"', "two\nlines"),
        ("A=", ""),
        ("A=# nothing", ""),
        ("B=b\nA=${B}-x", "b-x"),
        ("A=${UNSET:-default}", "default"),
        ("A=cost $$5", "cost $5"),
        ("A=1\r\nB=2\r", "1"),
        ("# A=no\nA=yes", "yes"),
    ],
)
def test_env_files(line: str, value: str) -> None:
    assert dotenv.parse(line)["A"] == value


def test_a_value_that_refers_to_what_is_not_there_is_left_out() -> None:
    assert dotenv.parse("A=old\nA=${ELSEWHERE}x\nB=1") == {"B": "1"}
