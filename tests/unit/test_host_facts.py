"""The script that asks a host, and the reading of its answer."""

import os
import random
import shutil
import subprocess

import pytest

from console.links.host.facts import (
    MOUNT_LIMIT,
    SCRIPT,
    CpuSample,
    cpu_ratio,
    host_report,
    host_skew,
    parse_facts,
)

ANSWER = """Welcome to Ubuntu 22.04.3 LTS
::cofa date
1700000000.250000000
::cofa user
deploy
::cofa kernel
Linux 5.15.0-91-generic
::cofa boot
6d3c1c6e-8a5f-4e0b-9d53-0c6f0f1f2a3b
::cofa stat
cpu  1000 50 300 8000 600 0 40 10 70 0
cpu0 500 25 150 4000 300 0 20 5 35 0
cpu1 500 25 150 4000 300 0 20 5 35 0
btime 1699000000
::cofa load
0.42 0.36 0.30 2/845 12345
::cofa memory
MemTotal:        8000000 kB
MemAvailable:    2000000 kB
::cofa space
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/sda1        100000000 86000000  14000000      86% /
/dev/mapper/data  50000000        0  50000000       0% /srv/my data
::cofa inodes
Filesystem      Inodes  IUsed   IFree IUse% Mounted on
/dev/sda1      6553600 655360 5898240   10% /
/dev/mapper/data     0      0       0     - /srv/my data
::cofa again
cpu  1010 50 310 8060 610 0 50 10 70 0
::cofa end
1700000000.450000000
"""


def answer(old: str = "", new: str = "") -> bytes:
    assert old in ANSWER
    return ANSWER.replace(old, new).encode()


def test_a_real_answer():
    facts = parse_facts(answer())
    assert (facts.user, facts.kernel) == ("deploy", "Linux 5.15.0-91-generic")
    assert facts.boot_id == "6d3c1c6e-8a5f-4e0b-9d53-0c6f0f1f2a3b"
    assert (facts.began, facts.ended) == (1700000000.25, 1700000000.45)
    assert (facts.booted_at, facts.cpus, facts.load1) == (1699000000.0, 2, 0.42)
    assert facts.memory_ratio == 0.75
    assert facts.cpu == CpuSample(facts.boot_id, 8600, 10000)
    root, data = facts.disks
    assert (root.mount, root.size, root.free) == ("/", 1e8 * 1024, 1.4e7 * 1024)
    assert root.free_inodes_ratio == 0.9
    assert (data.mount, data.free_ratio, data.free_inodes_ratio) == ("/srv/my data", 1.0, None)


def test_cpu_is_the_busy_part_between_two_samples():
    before, after = CpuSample("a", 800, 1000), CpuSample("a", 850, 1200)
    assert cpu_ratio(before, after) == 0.75
    assert cpu_ratio(None, after) is None
    assert cpu_ratio(before, before) is None, "no time between them"
    assert cpu_ratio(CpuSample("b", 800, 1000), after) is None, "rebooted in between"
    assert cpu_ratio(after, before) is None, "counters that went back"
    assert cpu_ratio(before, CpuSample("a", 790, 1010)) == 1.0


def test_the_first_report_uses_the_second_sample_and_a_later_one_the_kept():
    facts = parse_facts(answer())
    first = host_report("prod-1", facts, None, None)
    assert first.figures.cpu_ratio == pytest.approx(0.3)
    kept = CpuSample(facts.boot_id, 8000, 9000)
    later = host_report("prod-1", facts, kept, None)
    assert later.figures.cpu_ratio == pytest.approx(0.4)
    assert later.name == later.figures.host == "prod-1"


@pytest.mark.parametrize(
    ("ahead", "there", "back", "skew"),
    [
        (0.0, 0.05, 0.05, 0.0),
        (0.0, 4.0, 0.05, 0.0),  # a login shell that starts slowly proves nothing
        (10.0, 0.05, 0.05, 9.95),
        (10.0, 4.0, 0.05, 9.95),
        (-10.0, 0.05, 0.05, -9.95),
    ],
)
def test_skew_is_what_is_proven(ahead, there, back, skew):
    facts = parse_facts(answer())
    asked_at = facts.began - ahead - there
    answered_at = facts.ended - ahead + back
    assert host_skew(facts, asked_at, answered_at) == pytest.approx(skew, abs=1e-3)


def test_without_a_clock_there_is_no_skew():
    facts = parse_facts(answer("1700000000.250000000", "soon"))
    assert host_skew(facts, 1.0, 2.0) is None


def test_times_are_by_our_clock():
    facts = parse_facts(answer())
    assert host_report("h", facts, None, 3600.4).booted_at == 1699000000.0 - 3600
    assert host_report("h", facts, None, 0.3).booted_at == 1699000000.0, "no jitter"


def test_a_clock_without_fractions_is_taken_in_the_middle_of_its_second():
    facts = parse_facts(answer("1700000000.250000000", "1700000000.%N"))
    assert facts.began == 1700000000.5
    assert parse_facts(answer("1700000000.250000000", "soon")).began is None


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"", "runs no commands"),
        (b"This service allows sftp connections only.\n", "runs no commands"),
        (ANSWER.encode()[:300], "broke off"),
        (answer("cpu", "xpu"), "no Linux /proc"),
    ],
)
def test_what_is_no_answer_is_said(output, why):
    with pytest.raises(ValueError, match=why):
        parse_facts(output)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("MemAvailable:    2000000 kB\n", "", "memory_ratio"),
        ("MemTotal:        8000000 kB", "MemTotal: 0 kB", "memory_ratio"),
        ("MemTotal:        8000000", "MemTotal: -8", "memory_ratio"),
        ("btime 1699000000", "btime 9e999", "booted_at"),
        ("0.42 0.36", "nan 1", "load1"),
        ("0.42 0.36", "9" * 400, "load1"),
        ("cpu  1000", "cpu  -5", "cpu"),
    ],
)
def test_what_is_not_said_or_absurd_is_none(old, new, field):
    assert getattr(parse_facts(answer(old, new)), field) is None


def test_hostile_text_is_cleaned():
    facts = parse_facts(
        answer("/srv/my data", "/srv/\x1b[31m\u202ered").replace(b"deploy", b"\x9b2J")
    )
    assert facts.disks[1].mount == "/srv/red"
    assert "\x1b" not in facts.user
    assert "\x9b" not in facts.user


def test_disks_are_bounded_and_each_is_named_once():
    line = "/dev/sd{0} 1000 1 999 1% /mnt/{0}\n"
    many = "".join(line.format(n) for n in range(MOUNT_LIMIT + 50)) + line.format(3)
    facts = parse_facts(answer("/dev/sda1        100000000 86000000  14000000      86% /\n", many))
    assert len(facts.disks) == MOUNT_LIMIT
    assert len({disk.mount for disk in facts.disks}) == MOUNT_LIMIT


def test_random_damage_never_breaks_it():
    chance = random.Random(7)
    for _ in range(2000):
        damaged = bytearray(ANSWER.encode())
        for _ in range(chance.randrange(1, 12)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            report = host_report("h", parse_facts(bytes(damaged)), None, None)
        except ValueError:
            continue
        for ratio in (report.figures.cpu_ratio, report.figures.memory_ratio):
            assert ratio is None or 0 <= ratio <= 1


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="needs Linux's /proc")  # noqa: PTH110
@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox", "ksh", "zsh"])
def test_the_script_runs_in_every_posix_shell(shell, tmp_path):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    environ = dict(os.environ)
    argv = [program]
    if shell == "busybox":
        # Its own date, df, grep... before those of the system.
        for name in subprocess.run([program, "--list"], capture_output=True).stdout.split():
            (tmp_path / name.decode()).symlink_to(program)
        environ["PATH"] = str(tmp_path)
        argv = [program, "sh"]
    done = subprocess.run(
        [*argv, "-s", "twice"], input=SCRIPT, capture_output=True, env=environ, check=True
    )
    assert done.stderr == b""
    facts = parse_facts(done.stdout)
    assert facts.cpu is not None
    assert facts.cpu_again is not None
    assert facts.memory_ratio is not None
    assert facts.cpus == os.cpu_count()
    assert facts.ended >= facts.began
