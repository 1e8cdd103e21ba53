"""Commands on a real sshd: results, limits, deadlines, lost connections."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from console.errors import FailureKind, LinkError

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[3]


def test_a_command_gives_its_code_and_both_outputs(sshd, open_ssh, within):
    done = open_ssh(sshd).run(["sh", "-c", "echo out; echo err >&2; exit 3"], within(10))
    assert (done.code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert not done.truncated


@pytest.mark.parametrize(
    "word", ["a b", "it's", '"$HOME"', "`id`", "a\nb", "*", "", "$(id)", "\\", "!x", "é", ";id"]
)
def test_every_word_arrives_as_it_was_given(sshd, open_ssh, within, word):
    done = open_ssh(sshd).run(["printf", "<%s>", word, "next"], within(10))
    assert done.stdout.decode() == f"<{word}><next>"


def test_standard_input_arrives_whole(sshd, open_ssh, within):
    data = bytes(range(256)) * 16_000  # more than one window
    done = open_ssh(sshd).run(["sha256sum"], within(20), stdin=data)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_command_may_end_without_reading_its_input(sshd, open_ssh, within):
    done = open_ssh(sshd).run(["true"], within(10), stdin=b"x" * 5_000_000)
    assert done.code == 0


def test_output_past_the_limit_is_dropped_and_that_is_said(sshd, open_ssh, within):
    script = "head -c 3000000 /dev/zero; echo end >&2; exit 4"
    done = open_ssh(sshd).run(["sh", "-c", script], within(20), limit=1000)
    assert len(done.stdout) == 1000
    assert (done.truncated, done.code, done.stderr) == (True, 4, b"end\n")


def test_a_signal_counts_as_the_shell_has_it(sshd, open_ssh, within):
    done = open_ssh(sshd).run(["sh", "-c", "kill -9 $$"], within(10))
    assert done.code == 137


def test_a_child_that_keeps_the_output_open_does_not_hold_the_answer(sshd, open_ssh, within):
    script = "sleep 20 & echo started; exit 0"
    done = open_ssh(sshd).run(["sh", "-c", script], within(10))
    assert (done.code, done.stdout) == (0, b"started\n")


def test_a_missing_program_is_named(sshd, open_ssh, within):
    with pytest.raises(LinkError) as caught:
        open_ssh(sshd).run(["no-such-program", "-x"], within(10))
    assert caught.value.failure.kind is FailureKind.MISSING
    assert "no-such-program" in caught.value.failure.why


def test_the_deadline_holds_and_the_connection_stays(sshd, open_ssh, within):
    host = open_ssh(sshd)
    host.run(["true"], within(10))
    session = host._connection.current
    with pytest.raises(LinkError) as caught:
        host.run(["sleep", "20"], within(0.5))
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert host.run(["echo", "on"], within(10)).stdout == b"on\n"
    assert host._connection.current is session


def test_endless_output_ends_at_the_deadline(sshd, open_ssh, within):
    host = open_ssh(sshd)
    with pytest.raises(LinkError) as caught:
        host.run(["yes"], within(1.0), limit=1000)
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert host.run(["echo", "on"], within(10)).stdout == b"on\n"


def test_twelve_at_once_share_one_connection(make_sshd, open_ssh, within):
    server = make_sshd()
    host = open_ssh(server)
    with ThreadPoolExecutor(12) as pool:
        runs = [pool.submit(host.run, ["sh", "-c", f"sleep 0.2; echo {n}"], within(20))
                for n in range(12)]  # fmt: skip
        assert [run.result().stdout for run in runs] == [f"{n}\n".encode() for n in range(12)]
    assert server.log().count("Accepted publickey") == 1


def test_a_server_that_allows_fewer_sessions_is_waited_for(make_sshd, open_ssh, within):
    host = open_ssh(make_sshd("MaxSessions 2"))
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(host.run, ["sh", "-c", f"sleep 0.1; echo {n}"], within(20))
                for n in range(8)]  # fmt: skip
        assert [run.result().stdout for run in runs] == [f"{n}\n".encode() for n in range(8)]


def test_a_server_that_allows_no_session_is_named(make_sshd, open_ssh, within):
    with pytest.raises(LinkError) as caught:
        open_ssh(make_sshd("MaxSessions 0")).run(["true"], within(10))
    assert caught.value.failure.kind is FailureKind.DENIED
    assert "MaxSessions" in caught.value.failure.remedy


def test_a_dropped_connection_is_made_again(make_sshd, open_ssh, within, eventually):
    server = make_sshd()
    host = open_ssh(server)
    host.run(["true"], within(10))
    assert server.cut() > 0

    def recovered():
        try:
            return host.run(["echo", "back"], within(10)).stdout == b"back\n"
        except LinkError:
            return False

    eventually(recovered, "the connection to be made again")


def test_a_connection_cut_under_a_command_fails_it(make_sshd, open_ssh, within, eventually):
    server = make_sshd()
    host = open_ssh(server)
    host.run(["true"], within(10))
    failures = []

    def hang():
        try:
            host.run(["sleep", "20"], within(30))
        except LinkError as error:
            failures.append(error.failure)

    thread = threading.Thread(target=hang)
    thread.start()
    eventually(lambda: any(call.doing == "running sleep" for call in host._calls), "sleep to run")
    server.stop()
    thread.join(20)
    assert [failure.kind for failure in failures] == [FailureKind.UNREACHABLE]


def test_a_server_that_freezes_is_given_up_at_the_deadline(make_sshd, open_ssh, within, eventually):
    server = make_sshd()
    host = open_ssh(server)
    host.run(["true"], within(10))
    frozen = host._connection.current
    assert server.freeze() > 0
    with pytest.raises(LinkError) as caught:
        host.run(["true"], within(0.5))
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert not frozen.alive

    def recovered():
        try:
            return host.run(["echo", "back"], within(10)).stdout == b"back\n"
        except LinkError:
            return False

    eventually(recovered, "another connection")


def test_cancel_gives_up_a_frozen_connection_at_once(make_sshd, open_ssh, within, eventually):
    server = make_sshd()
    host = open_ssh(server)
    host.run(["true"], within(10))
    frozen = host._connection.current
    server.freeze()
    failures = []

    def hang():
        try:
            host.run(["true"], within(60))
        except LinkError as error:
            failures.append(error.failure.kind)

    thread = threading.Thread(target=hang)
    thread.start()
    eventually(lambda: any(call.asked_at for call in host._calls), "the question to be asked")
    host.cancel()
    thread.join(5)
    assert not thread.is_alive()
    assert failures == [FailureKind.TIMEOUT]
    eventually(lambda: not frozen.alive, "the connection to be given up")


def test_failures_are_given_again_until_the_backoff_has_passed(make_sshd, open_ssh, within):
    server = make_sshd()
    host = open_ssh(server, "nobody")
    for _ in range(5):
        with pytest.raises(LinkError) as caught:
            host.run(["true"], within(10))
        assert caught.value.failure.kind is FailureKind.DENIED
    assert server.log().count("Connection from") - 1 <= 2  # one is the fixture's own look


def test_cancel_ends_a_command_at_once_and_the_link_goes_on(sshd, open_ssh, within, eventually):
    host = open_ssh(sshd)
    caught = []

    def hang():
        with pytest.raises(LinkError) as error:
            host.run(["sleep", "20"], within(60))
        caught.append((time.monotonic(), error.value.failure))

    thread = threading.Thread(target=hang)
    thread.start()
    eventually(lambda: any(call.doing == "running sleep" for call in host._calls), "sleep to run")
    host.cancel()
    thread.join(5)
    assert not thread.is_alive()
    assert caught[0][1].kind is FailureKind.TIMEOUT
    assert host.run(["echo", "on"], within(10)).stdout == b"on\n"


def test_close_ends_everything_and_for_good(sshd, open_ssh, within, eventually):
    host = open_ssh(sshd)
    host.run(["true"], within(10))
    host.close()
    with pytest.raises(LinkError, match="closed"):
        host.run(["true"], within(10))
    eventually(
        lambda: not any("cofa" in thread.name for thread in threading.enumerate()),
        "its threads to end",
    )


LEAVE = """
import sys
from pathlib import Path
from console.clock import Deadline, SystemClock
from console.links.protocols import TcpAddress
from console.links.ssh.link import SshHost
from console.paths import Paths
clock = SystemClock()
paths = Paths(*[Path(sys.argv[2])] * 4)
host = SshHost("box", "ssh://box", clock, paths, {"PATH": sys.argv[3]}, Path(sys.argv[1]))
host.reach(TcpAddress("127.0.0.1", int(sys.argv[4])), Deadline.after(clock, 20))
print("leaves", flush=True)
"""


def test_an_open_link_does_not_hold_up_the_end_of_the_process(sshd, tmp_path):
    argv = [sys.executable, "-c", LEAVE, str(sshd.config), str(tmp_path), os.environ["PATH"]]
    done = subprocess.run(
        [*argv, str(sshd.port)], capture_output=True, timeout=30, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"leaves\n", b"")


def test_the_host_says_of_itself_what_the_kernel_says(sshd, open_ssh, within):
    host = open_ssh(sshd)
    first = host.read(within(10))
    second = host.read(within(10))
    assert first.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first.figures.host == "box"
    for report in (first, second):
        assert 0 <= report.figures.cpu_ratio <= 1
        assert 0 < report.figures.memory_ratio < 1
        assert any(disk.mount == "/" and disk.free < disk.size for disk in report.figures.disks)
    assert abs(host.skew()) < 2  # the same machine: what is left is the network's asymmetry


def test_an_account_with_a_forced_command_is_named(make_sshd, open_ssh, within):
    host = open_ssh(make_sshd("ForceCommand echo only git here"))
    with pytest.raises(LinkError) as caught:
        host.read(within(10))
    assert caught.value.failure.kind is FailureKind.INVALID
    assert "only git here" in caught.value.failure.why
