"""Passwords, certificates and SSH keys, made at run time and kept in the stand."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from layout import DOMAIN, Layout, Node
from procs import run, succeeds

CERTIFICATE_DAYS = 60
RENEW_BELOW_SECONDS = 30 * 86400
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def password(length: int) -> str:
    return secrets.token_hex(length)[:length]


def make_certificates(layout: Layout) -> None:
    """A CA of our own; the edges' certificate (60 days, renewed below 30); the engine's."""
    if not (layout.keys / "ca.pem").exists():
        subject = ("-subj", "/O=cofa stand/CN=cofa stand CA")
        files = ("-keyout", layout.keys / "ca.key", "-out", layout.keys / "ca.pem")
        run(["openssl", "req", "-x509", *NEW_KEY, "-days", "3650", *subject, *files])
    nodes = [f"IP:{Node(number).address}" for number in (1, 2, 3)]
    names = [f"DNS:{DOMAIN}", "DNS:localhost", "IP:127.0.0.1", *nodes]
    ensure(layout, layout.shop / "certs/edge", "serverAuth", names)
    # The names that DOCKER_CERT_PATH expects of the client's.
    docker = layout.keys / "docker"
    ensure(layout, docker / "server", "serverAuth", names)
    ensure(layout, docker / "client", "clientAuth", [f"DNS:client.{DOMAIN}"])
    for source, name in (("client.pem", "cert.pem"), ("client.key", "key.pem")):
        shutil.copy2(docker / source, docker / name)
    shutil.copy2(layout.keys / "ca.pem", docker / "ca.pem")


def ensure(layout: Layout, path: Path, usage: str, names: list[str]) -> None:
    """PATH.key and PATH.pem, signed by the stand's CA, unless they last."""
    path.parent.mkdir(exist_ok=True)
    pem = path.with_suffix(".pem")
    lasting = ("openssl", "x509", "-noout", "-in", pem, "-checkend", str(RENEW_BELOW_SECONDS))
    if pem.exists() and succeeds(lasting):
        return
    request, extensions = path.with_suffix(".csr"), path.with_suffix(".ext")
    extensions.write_text(f"subjectAltName={','.join(names)}\nextendedKeyUsage={usage}\n")
    subject = ("-subj", f"/CN={names[0].partition(':')[2]}")
    run(
        ["openssl", "req", *NEW_KEY, *subject, "-keyout", path.with_suffix(".key"), "-out", request]
    )
    signer = ("-CA", layout.keys / "ca.pem", "-CAkey", layout.keys / "ca.key", "-CAcreateserial")
    files = ("-in", request, "-extfile", extensions, "-out", pem)
    run(["openssl", "x509", "-req", "-days", str(CERTIFICATE_DAYS), *signer, *files])
    for scrap in (request, extensions):
        scrap.unlink()


def make_ssh_keys(layout: Layout) -> None:
    """The server's key, the user's, and one of each that is wrong."""
    for name in ("ssh_host", "ssh_user", "ssh_other_host", "ssh_other_user"):
        path = layout.keys / name
        if not path.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"stand {name}", "-f", path])
    public = (layout.keys / "ssh_user.pub").read_text()
    (layout.keys / "authorized_keys").write_text(public)
    write_known_hosts(layout, "known_hosts", "ssh_host.pub")
    write_known_hosts(layout, "known_hosts_changed", "ssh_other_host.pub")
    (layout.keys / "known_hosts_empty").write_text("")


def write_known_hosts(layout: Layout, name: str, public: str) -> None:
    key = " ".join((layout.keys / public).read_text().split()[:2])
    port = layout.ports.ssh
    hosts = [f"[127.0.0.1]:{port}", *(f"[{Node(n).address}]:{port}" for n in (1, 2, 3))]
    (layout.keys / name).write_text("".join(f"{host} {key}\n" for host in hosts))
