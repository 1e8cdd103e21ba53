"""Whether a host's key is the one we know."""

import base64
import shutil
import subprocess

import pytest

from console.links.ssh.known_hosts import (
    KeyVerdict,
    fingerprint,
    judge_key,
    key_type,
    parse_known_hosts,
    wanted_algorithms,
)


def blob(kind: str, body: bytes) -> bytes:
    return len(kind).to_bytes(4, "big") + kind.encode() + len(body).to_bytes(4, "big") + body


ED, ED2 = blob("ssh-ed25519", b"a" * 32), blob("ssh-ed25519", b"b" * 32)
RSA = blob("ssh-rsa", b"r" * 64)


def line(names: str, key: bytes, marker: str = "") -> str:
    text = f"{names} {key_type(key)} {base64.b64encode(key).decode()} comment"
    return f"{marker} {text}".strip()


def verdict(lines: list[str], key: bytes, host: str = "prod-1", port: int = 22) -> KeyVerdict:
    return judge_key(parse_known_hosts("\n".join(lines), "kh"), host, port, key).verdict


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("prod-1", "prod-1", 22),
        ("PROD-1", "prod-1", 22),
        ("other,prod-1,10.0.0.1", "prod-1", 22),
        ("prod-*", "prod-1", 22),
        ("prod-?", "prod-1", 22),
        ("[prod-1]:2222", "prod-1", 2222),
        ("[prod-*]:2222", "prod-1", 2222),
        ("[::1]:2222", "::1", 2222),
        ("::1", "::1", 22),
        ("prod-1", "prod-1", 2222),  # the same key, listed without its port
    ],
)
def test_a_known_key(names, host, port):
    assert verdict([line(names, ED)], ED, host, port) is KeyVerdict.KNOWN


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("prod-2", "prod-1", 22),
        ("prod-*,!prod-1", "prod-1", 22),
        ("!prod-1,prod-*", "prod-1", 22),
        ("prod", "prod-1", 22),
        ("[prod-1]:2222", "prod-1", 22),
        ("[prod-1]:2222", "prod-1", 2223),
        ("|1|bad|hash", "prod-1", 22),
        ("|1|", "prod-1", 22),
    ],
)
def test_a_key_of_others_is_unknown(names, host, port):
    assert verdict([line(names, ED)], ED, host, port) is KeyVerdict.UNKNOWN


def test_another_key_of_the_same_kind_is_a_change():
    judgement = judge_key(parse_known_hosts(line("prod-1", ED), "kh"), "prod-1", 22, ED2)
    assert judgement.verdict is KeyVerdict.CHANGED
    assert [known.place for known in judgement.lines] == ["kh:1"]


def test_one_of_several_keys_is_enough():
    assert verdict([line("prod-1", ED), line("prod-1", ED2)], ED2) is KeyVerdict.KNOWN


def test_a_key_of_another_kind_is_unknown_and_the_known_ones_are_named():
    judgement = judge_key(parse_known_hosts(line("prod-1", RSA), "kh"), "prod-1", 22, ED)
    assert judgement.verdict is KeyVerdict.UNKNOWN
    assert [known.blob for known in judgement.lines] == [RSA]


def test_another_key_listed_without_the_port_is_no_change():
    assert verdict([line("prod-1", ED)], ED2, port=2222) is KeyVerdict.UNKNOWN


def test_a_revoked_key_is_refused_however_well_it_is_known():
    lines = [line("prod-1", ED), line("*", ED, "@revoked")]
    assert verdict(lines, ED) is KeyVerdict.REVOKED
    assert verdict(lines, ED2) is KeyVerdict.CHANGED


def test_a_certificate_authority_alone_is_named():
    assert verdict([line("*.example", ED2, "@cert-authority")], ED, "a.example") is (
        KeyVerdict.AUTHORITY
    )
    both = [line("*", ED2, "@cert-authority"), line("prod-1", ED)]
    assert verdict(both, ED) is KeyVerdict.KNOWN
    assert verdict([line("*", ED, "@cert-authority")], ED) is KeyVerdict.AUTHORITY


def test_what_is_no_entry_is_passed_over():
    text = "\n".join(
        ["# comment", "", "prod-1", "prod-1 ssh-ed25519 %%%", "@what prod-1 ssh-ed25519 AAAA",
         "\x00\x01", line("prod-1", ED)]
    )  # fmt: skip
    found = parse_known_hosts(text, "kh")
    assert [known.place for known in found] == ["kh:7"]


def test_known_kinds_are_asked_for_first():
    known = parse_known_hosts("\n".join([line("prod-1", RSA), line("x", ED)]), "kh")
    assert wanted_algorithms(known, "prod-1", 22) == ("rsa-sha2-512", "rsa-sha2-256")


@pytest.mark.parametrize("damaged", [b"", b"\x00", b"\xff\xff\xff\xffx", b"\x00\x00\x00\x09ssh"])
def test_a_blob_that_is_no_key_has_no_type(damaged):
    assert key_type(damaged) == ""


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_names_hashes_and_fingerprints_are_those_of_ssh_keygen(kind, tmp_path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    name, body = key.with_suffix(".pub").read_text().split()[:2]
    public = base64.b64decode(body)
    shown = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, check=True)
    kind_shown, digest = fingerprint(public).split()
    assert digest == shown.stdout.split()[1].decode()
    assert f"({kind_shown})" in shown.stdout.decode()
    hosts = tmp_path / "known_hosts"
    hosts.write_text(f"prod-1 {name} {body}\n[prod-2]:2222 {name} {body}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hosts)], capture_output=True, check=True)
    known = parse_known_hosts(hosts.read_text(), "kh")
    assert "prod-1" not in hosts.read_text()
    assert judge_key(known, "Prod-1", 22, public).verdict is KeyVerdict.KNOWN
    assert judge_key(known, "prod-2", 2222, public).verdict is KeyVerdict.KNOWN
    assert judge_key(known, "prod-3", 22, public).verdict is KeyVerdict.UNKNOWN
