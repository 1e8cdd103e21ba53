"""Clock, secrets, cofa's own directories."""

import pickle
import threading
from pathlib import Path

import pytest

from console.clock import Deadline, ManualClock
from console.paths import Paths, private_directory, write_private
from console.secret import Secret


def test_a_deadline_counts_down_and_never_below_zero() -> None:
    clock = ManualClock()
    deadline = Deadline.after(clock, 5.0)
    assert deadline.left() == 5.0
    assert deadline.timeout(2.0) == 2.0
    clock.advance(6.0)
    assert deadline.left() == 0.0
    assert deadline.passed
    assert deadline.timeout() > 0.0


def test_a_secret_is_never_text() -> None:
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {secret:>5} {[secret]} {str(secret)!s}"
    assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        _ = secret == Secret("hunter2")
    with pytest.raises(TypeError):
        hash(secret)


def test_paths_follow_xdg_and_ignore_relative_values(tmp_path: Path) -> None:
    paths = Paths.of({"HOME": str(tmp_path), "XDG_STATE_HOME": "relative"})
    assert paths.state == tmp_path / ".local" / "state" / "cofa"
    assert Paths.of({"HOME": "/x", "XDG_CACHE_HOME": "/c"}).cache == Path("/c/cofa")


def test_private_files_are_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_two_threads_that_write_one_file_do_not_share_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    both = threading.Barrier(2, timeout=10)
    replace = Path.replace

    def held(partial: Path, target: Path) -> Path:
        opened.append(partial)
        both.wait()  # neither is in place before both are written
        return replace(partial, target)

    monkeypatch.setattr(Path, "replace", held)
    other = threading.Thread(target=write_private, args=(tmp_path / "kept", b"long" * 999))
    other.start()
    write_private(tmp_path / "kept", b"short")
    other.join()
    assert len(set(opened)) == 2
    assert (tmp_path / "kept").read_bytes() in (b"short", b"long" * 999)


def test_every_directory_that_is_made_is_private(tmp_path: Path) -> None:
    write_private(tmp_path / "a" / "b" / "c" / "file", b"x")
    private_directory(tmp_path / "d" / "e" / "f")
    for name in ("a", "a/b", "a/b/c", "d", "d/e", "d/e/f"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700, name


def test_a_directory_open_to_others_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="chmod 700"):
        private_directory(path)
    write_private(path / "file", b"x")
    assert path.stat().st_mode & 0o777 == 0o755
    assert (path / "file").stat().st_mode & 0o777 == 0o600
