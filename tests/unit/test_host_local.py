"""This machine as a host: real processes, their limits and their end."""

import os
import threading
import time
from pathlib import Path

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import HostConfig
from console.errors import FailureKind, LinkError
from console.links.host.local import LocalHost
from console.links.host.opening import open_host
from console.links.protocols import TcpAddress, UnixAddress
from console.paths import Paths


@pytest.fixture
def host():
    link = LocalHost("here", SystemClock())
    yield link
    link.close()


def within(seconds: float) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_its_name_and_place(host):
    assert (host.name, host.local, host.skew()) == ("host:here", True, 0.0)
    for address in (TcpAddress("127.0.0.1", 9090), UnixAddress(Path("/var/run/docker.sock"))):
        assert host.reach(address, within(1)) == address


def test_a_command_gives_its_code_and_both_outputs(host):
    done = host.run(["sh", "-c", "echo out; echo err >&2; exit 3"], within(10))
    assert (done.code, done.stdout, done.stderr, done.truncated) == (3, b"out\n", b"err\n", False)


def test_words_are_never_read_by_a_shell(host):
    assert host.run(["printf", "%s", "$(id); `id`"], within(10)).stdout == b"$(id); `id`"


def test_input_and_output_larger_than_pipes(host):
    data = os.urandom(1_000_000)
    assert host.run(["cat"], within(20), stdin=data).stdout == data


def test_a_command_may_end_without_reading_its_input(host):
    assert host.run(["true"], within(10), stdin=b"x" * 1_000_000).code == 0


def test_without_input_a_command_sees_its_end(host):
    assert host.run(["cat"], within(10)).stdout == b""


def test_output_past_the_limit_is_dropped_and_that_is_said(host):
    done = host.run(["head", "-c", "500000", "/dev/zero"], within(20), limit=1000)
    assert (len(done.stdout), done.truncated, done.code) == (1000, True, 0)


def test_a_signal_counts_as_the_shell_has_it(host):
    assert host.run(["sh", "-c", "kill -9 $$"], within(10)).code == 137


@pytest.mark.parametrize("script", ["sleep 60", "yes", "trap '' TERM INT HUP; sleep 60; sleep 60"])
def test_the_deadline_kills_the_whole_group(host, tmp_path, script):
    pids = tmp_path / "pids"
    with pytest.raises(LinkError) as caught:
        command = f"echo $$ >{pids}; sleep 60 & echo $! >>{pids}; {script}"
        host.run(["sh", "-c", command], within(0.5))
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    eventually(lambda: all(gone(pid) for pid in found))


def test_a_child_that_keeps_the_output_open_does_not_hold_the_answer(host, tmp_path):
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! >{pid}; echo started"
    done = host.run(["sh", "-c", script], within(20))
    assert (done.code, done.stdout) == (0, b"started\n")
    eventually(lambda: gone(int(pid.read_text())))


def test_cancel_ends_what_is_under_way_and_no_more(host):
    caught = []

    def hang():
        with pytest.raises(LinkError) as error:
            host.run(["sleep", "60"], within(60))
        caught.append(error.value.failure)

    thread = threading.Thread(target=hang)
    thread.start()
    eventually(lambda: host._running)
    host.cancel()
    thread.join(5)
    assert [failure.kind for failure in caught] == [FailureKind.TIMEOUT]
    assert host.run(["echo", "on"], within(10)).stdout == b"on\n"


def test_close_is_for_good(host):
    host.close()
    with pytest.raises(LinkError, match="closed"):
        host.run(["true"], within(10))


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["no-such-program"], FailureKind.MISSING),
        (["/etc/passwd"], FailureKind.DENIED),
        ([], FailureKind.INVALID),
        ([""], FailureKind.INVALID),
        (["echo", "a\0b"], FailureKind.INVALID),
    ],
)
def test_what_cannot_be_run_is_named(host, argv, kind):
    with pytest.raises(LinkError) as caught:
        host.run(argv, within(10))
    assert caught.value.failure.kind is kind


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux's /proc")
def test_this_machine_says_of_itself_what_the_kernel_says(host):
    first, second = host.read(within(10)), host.read(within(10))
    assert first.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first.cpus == os.cpu_count()
    assert first.booted_at == second.booted_at
    for report in (first, second):
        cpu = report.figures.cpu_ratio
        assert cpu is None or 0 <= cpu <= 1
    assert first.figures.cpu_ratio is not None, "the first read samples twice"
    whole = os.statvfs("/")
    roots = [disk for disk in first.figures.disks if disk.mount == "/"]
    for root in roots:
        assert root.size == pytest.approx(whole.f_blocks * whole.f_frsize, rel=0.01)


def test_opening_by_configuration(tmp_path):
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path)
    clock = SystemClock()
    local = open_host(HostConfig("here"), clock, paths, {})
    assert local.local
    remote = open_host(HostConfig("prod-1", "ssh://deploy@10.0.0.5"), clock, paths, {})
    assert (remote.name, remote.local, remote.skew()) == ("host:prod-1", False, None)
    remote.close()
    with pytest.raises(LinkError) as caught:
        open_host(HostConfig("bad", "ssh://"), clock, paths, {})
    assert caught.value.failure.kind is FailureKind.INVALID
