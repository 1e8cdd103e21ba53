"""Which keys are offered, and what is said where none is taken. Without a network."""

import base64
import shutil
import subprocess

import paramiko
import pytest

from console.clock import Deadline, SystemClock
from console.errors import FailureKind, LinkError
from console.links.ssh.auth import log_in
from console.links.ssh.call import Call
from console.links.ssh.config import SshTarget


class FakeTransport:
    """Answers each key as it is told."""

    auth_timeout = 0.0

    def __init__(self, answer=None, hang_up_after=99):
        self.answer = paramiko.AuthenticationException("no") if answer is None else answer
        self.hang_up_after = hang_up_after
        self.offered = []

    def auth_publickey(self, user, key):
        self.offered.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def is_active(self):
        return len(self.offered) < self.hang_up_after


@pytest.fixture
def keys(tmp_path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen")

    def make(name, *options):
        path = tmp_path / name
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), *options]
        subprocess.run(argv, check=True)
        return path

    return make


def target(*identities, **other):
    return SshTarget("prod-1", "10.0.0.5", 22, "deploy", identities, **other)


def attempt(transport, where):
    call = Call("host:prod-1", Deadline.after(SystemClock(), 20))
    log_in(transport, where, call)


def refused(transport, where):
    with pytest.raises(LinkError) as caught:
        attempt(transport, where)
    return caught.value.failure


def test_a_key_that_is_taken_ends_it(keys):
    transport = FakeTransport(answer=[])
    attempt(transport, target(keys("one"), keys("two")))
    assert len(transport.offered) == 1


def test_the_keys_that_were_offered_are_named(keys):
    one, two = keys("one"), keys("two")
    failure = refused(FakeTransport(), target(one, two))
    assert failure.kind is FailureKind.DENIED
    assert str(one) in failure.why
    assert str(two) in failure.why
    assert "deploy@10.0.0.5:22" in failure.why


def test_missing_files_are_no_keys(tmp_path):
    failure = refused(FakeTransport(), target(tmp_path / "id_rsa"))
    assert "offered: no key" in failure.why
    assert "ssh-agent" in failure.remedy


def test_a_locked_key_is_named_with_ssh_add(keys):
    path = keys("locked", "-N", "passphrase")
    transport = FakeTransport()
    failure = refused(transport, target(path))
    assert "has a passphrase" in failure.why
    assert failure.remedy.endswith(f"ssh-add {path}")
    assert transport.offered == []


@pytest.mark.parametrize("text", ["", "-----BEGIN nonsense", "\0\1\2", "-" * 100_000])
def test_a_file_that_is_no_key_breaks_nothing(tmp_path, text):
    path = tmp_path / "id_odd"
    path.write_text(text)
    assert refused(FakeTransport(), target(path)).kind is FailureKind.DENIED


def test_a_fido_key_is_named_with_the_way_round(tmp_path):
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = len(kind).to_bytes(4, "big") + kind + b"rest"
    path = tmp_path / "id_ed25519_sk"
    path.write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    path.with_suffix(".pub").write_text(f"{kind.decode()} {base64.b64encode(blob).decode()} me\n")
    failure = refused(FakeTransport(), target(path))
    assert "FIDO" in failure.why
    assert "ssh-keygen -t ed25519" in failure.remedy
    assert "Host prod-1" in failure.remedy


def test_a_server_that_hangs_up_after_many_keys_is_named(keys):
    many = [keys(f"k{n}") for n in range(4)]
    failure = refused(FakeTransport(hang_up_after=4), target(*many))
    assert failure.kind is FailureKind.DENIED
    assert "IdentitiesOnly" in failure.remedy


def test_a_server_that_hangs_up_at_once_is_unreachable(keys):
    failure = refused(FakeTransport(answer=EOFError(), hang_up_after=1), target(keys("one")))
    assert failure.kind is FailureKind.UNREACHABLE


def test_a_server_that_takes_passwords_alone(keys):
    answer = paramiko.BadAuthenticationType("no", ["password", "\x1b[31mkbd"])
    failure = refused(FakeTransport(answer), target(keys("one")))
    assert "password" in failure.why
    assert "\x1b" not in failure.why
    assert "PubkeyAuthentication" in failure.remedy


def test_a_server_that_wants_more_than_a_key(keys):
    failure = refused(FakeTransport(answer=["keyboard-interactive"]), target(keys("one")))
    assert failure.kind is FailureKind.UNSUPPORTED
    assert "keyboard-interactive" in failure.why


def test_keys_forbidden_by_the_configuration():
    failure = refused(FakeTransport(), target(public_keys=False))
    assert failure.kind is FailureKind.UNSUPPORTED
    assert "PubkeyAuthentication yes" in failure.remedy


def test_an_agent_that_is_gone_is_named(tmp_path):
    failure = refused(FakeTransport(), target(agent=str(tmp_path / "gone")))
    assert "does not answer (No such file or directory)" in failure.why


def test_secrets_in_keys_never_show(keys):
    path = keys("one")
    body = path.read_text().splitlines()[1]
    assert body not in str(refused(FakeTransport(), target(path)))
