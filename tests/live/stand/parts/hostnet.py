"""What an engine changes in the host's network, remembered before and undone after."""

from __future__ import annotations

import json
from pathlib import Path

from engines import Engine
from layout import Layout
from procs import StandError, run, succeeds

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def remember(layout: Layout, engine: Engine) -> None:
    """Before the first start. Refuses a machine where another engine has its bridge."""
    memory = layout.root / "hostnet.json"
    if memory.exists():
        return
    if engine.daemon.pid() is None and succeeds(["ip", "link", "show", "docker0"]):
        raise StandError(
            "another engine lives here (docker0 exists): both would rewrite the same packet"
            " filter. Use a machine of its own, or remove docker0 if that engine is gone"
        )
    policy = run(["iptables", "--wait", "--list-rules", "FORWARD"]).split()[2]
    forwarding = FORWARDING.read_text().strip()
    memory.write_text(json.dumps({"forward_policy": policy, "ip_forward": forwarding}))


def restore(layout: Layout) -> None:
    """An engine leaves its bridge, its chains, a policy and a sysctl behind."""
    memory = layout.root / "hostnet.json"
    if not memory.exists():
        return
    before = json.loads(memory.read_text())
    for link in own_bridges():
        succeeds(["ip", "link", "delete", link])
    for table in ("filter", "nat"):
        remove_chains(table)
    run(["iptables", "--wait", "--policy", "FORWARD", before["forward_policy"]])
    FORWARDING.write_text(before["ip_forward"])


def own_bridges() -> list[str]:
    """docker0 and the project's, the latter known by the stand's own address range."""
    links = json.loads(run(["ip", "-json", "address", "show", "type", "bridge"]) or "[]")
    return [
        link["ifname"]
        for link in links
        if any(info["local"].startswith("10.214.") for info in link.get("addr_info", []))
    ]


def remove_chains(table: str) -> None:
    listed = ["iptables", "--wait", "--table", table]
    rules = [rule.split() for rule in run([*listed, "--list-rules"]).splitlines()]
    ours = [rule for rule in rules if any(is_ours(word) for word in rule)]
    for rule in ours:
        if rule[0] == "-A":
            succeeds([*listed, "-D", *rule[1:]])
    for rule in ours:
        if rule[0] == "-N":
            succeeds([*listed, "-X", rule[1]])


def is_ours(word: str) -> bool:
    return word.startswith(("DOCKER", "docker0", "10.214."))
