"""Reaching and logging in to a real sshd, and everything that forbids it."""

import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from console.errors import FailureKind, LinkError

pytestmark = pytest.mark.live


def failure(host, deadline):
    with pytest.raises(LinkError) as caught:
        host.run(["true"], deadline)
    return caught.value.failure


@pytest.mark.parametrize("alias", ["box", "jumped", "twice", "proxied"])
def test_it_logs_in_directly_and_through_proxies(sshd, open_ssh, within, alias):
    assert open_ssh(sshd, alias).run(["echo", alias], within(20)).stdout == f"{alias}\n".encode()


@pytest.mark.parametrize(
    ("alias", "kind", "why", "remedy"),
    [
        ("nobody", FailureKind.DENIED, "stranger", "ssh -v"),
        ("locked", FailureKind.DENIED, "has a passphrase", "ssh-add"),
        ("agent", FailureKind.DENIED, "no agent", "ssh-agent"),
        ("unknown", FailureKind.DENIED, "is not known: got ED25519 SHA256:", "ssh-keyscan -p"),
        ("changed", FailureKind.DENIED, "CHANGED: expected ED25519 SHA256:", "ssh-keygen -R"),
        ("unnamed", FailureKind.UNREACHABLE, "does not resolve", "ssh -G"),
        ("refused", FailureKind.UNREACHABLE, "Connection refused", "sshd runs"),
        ("badproxy", FailureKind.UNREACHABLE, "no such gateway", "ssh -v badproxy"),
        ("badjump", FailureKind.UNREACHABLE, "cannot reach", "nc -vz"),
        ("circle", FailureKind.INVALID, "circle", "ssh -G circle"),
    ],
)
def test_what_forbids_it_is_named_with_what_to_do(sshd, open_ssh, within, alias, kind, why, remedy):
    found = failure(open_ssh(sshd, alias), within(20))
    assert found.kind is kind
    assert why in found.why
    assert remedy in found.remedy


def test_both_fingerprints_are_those_of_ssh_keygen(sshd, open_ssh, within):
    def fingerprint(name):
        shown = subprocess.run(
            ["ssh-keygen", "-lf", str(sshd.home / f"{name}.pub")], capture_output=True, check=True
        )
        return shown.stdout.split()[1].decode()

    why = failure(open_ssh(sshd, "changed"), within(20)).why
    assert why.index(fingerprint("other")) < why.index(fingerprint("host"))


def test_the_remedy_for_an_unknown_key_shows_and_adds_it(sshd, open_ssh, within, tmp_path):
    if shutil.which("ssh-keyscan") is None:
        pytest.skip("needs ssh-keyscan")
    hosts = sshd.home / "no_hosts"
    found = failure(open_ssh(sshd, "unknown"), within(20))
    show, add = found.remedy.split("see the key: ")[1].split("; if it is right, add it: ")
    seen = subprocess.run(["sh", "-c", show], capture_output=True, check=False)
    assert found.why.rsplit(" ", 1)[1].encode() in seen.stdout
    try:
        subprocess.run(["sh", "-c", add], capture_output=True, check=True)
        assert open_ssh(sshd, "unknown").run(["true"], within(20)).code == 0
    finally:
        hosts.write_text("")


def test_hashed_and_revoked_entries(sshd, open_ssh, within):
    hosts = sshd.home / "no_hosts"
    kept = (sshd.home / "known_hosts").read_text()
    try:
        hosts.write_text(kept)
        subprocess.run(
            ["ssh-keygen", "-q", "-H", "-f", str(hosts)], capture_output=True, check=True
        )
        assert hosts.read_text().startswith("|1|")
        assert open_ssh(sshd, "unknown").run(["true"], within(20)).code == 0
        hosts.write_text(f"{kept}@revoked {kept}")
        found = failure(open_ssh(sshd, "unknown"), within(20))
        assert "revoked" in found.why
    finally:
        hosts.write_text("")


def test_an_agents_key_is_used(sshd, open_ssh, within, tmp_path):
    if shutil.which("ssh-agent") is None:
        pytest.skip("needs ssh-agent")
    path = tmp_path / "agent"
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(path)
        empty = failure(open_ssh(sshd, "agent", SSH_AUTH_SOCK=str(path)), within(20))
        assert "holds no keys" in empty.why
        subprocess.run(
            ["ssh-add", "-q", str(sshd.home / "client")],
            env={**os.environ, "SSH_AUTH_SOCK": str(path)},
            check=True,
            capture_output=True,
        )
        host = open_ssh(sshd, "agent", SSH_AUTH_SOCK=str(path))
        assert host.run(["true"], within(20)).code == 0
    finally:
        agent.terminate()
        agent.wait(10)
    dead = failure(open_ssh(sshd, "agent", SSH_AUTH_SOCK=str(path)), within(20))
    assert "does not answer" in dead.why


def wait_for(path):
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_user_certificate_beside_its_key_is_used(make_sshd, open_ssh, within, tmp_path):
    authority = tmp_path / "ca"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True
    )
    server = make_sshd(f"TrustedUserCAKeys {authority}.pub")
    (server.home / "authorized_keys").write_text("")
    import getpass

    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "id", "-n", getpass.getuser(),
         str(server.home / "client.pub")],
        check=True,
    )  # fmt: skip
    assert open_ssh(server).run(["true"], within(20)).code == 0


def test_a_host_known_by_a_certificate_authority_alone(make_sshd, open_ssh, within):
    server = make_sshd()
    kind, blob = (server.home / "other.pub").read_text().split()[:2]
    (server.home / "no_hosts").write_text(f"@cert-authority * {kind} {blob}\n")
    found = failure(open_ssh(server, "unknown"), within(20))
    assert found.kind is FailureKind.UNSUPPORTED
    assert "certificate authority" in found.why
    assert "ssh-keyscan" in found.remedy


def test_a_server_that_wants_more_than_a_key_is_named(make_sshd, open_ssh, within):
    server = make_sshd("PasswordAuthentication yes", "AuthenticationMethods publickey,password")
    found = failure(open_ssh(server), within(20))
    assert found.kind is FailureKind.UNSUPPORTED
    assert "password" in found.why


def test_another_server_on_the_port_is_named(open_ssh, sshd, within, paths):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        host = ssh_to(sshd, paths, listener.getsockname()[1])
        found = failure(host, within(20))
        host.close()
        thread.join(10)
    assert found.kind is FailureKind.INVALID
    assert "no SSH server" in found.why


def test_a_server_that_never_speaks_ends_at_the_deadline_and_by_cancel(sshd, within, paths):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = ssh_to(sshd, paths, listener.getsockname()[1])
        found = failure(host, within(0.5))
        assert found.kind is FailureKind.TIMEOUT
        assert "waiting for the SSH server" in found.why
        ended = []
        thread = threading.Thread(target=lambda: ended.append(failure(host, within(60))))
        thread.start()
        while not host._calls:
            time.sleep(0.01)
        host.cancel()
        thread.join(5)
        assert not thread.is_alive()
        assert ended[0].kind is FailureKind.TIMEOUT
        host.close()


def ssh_to(sshd, paths, port):
    from console.clock import SystemClock
    from console.links.ssh.link import SshHost

    environ = {"PATH": os.environ["PATH"]}
    return SshHost("other", f"ssh://127.0.0.1:{port}", SystemClock(), paths, environ, sshd.config)
