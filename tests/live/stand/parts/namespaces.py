"""Network namespaces on one bridge: the machines of the Swarm."""

from __future__ import annotations

from pathlib import Path

from layout import Layout, Node
from procs import run, succeeds


def inside(node: Node) -> tuple[str, ...]:
    """Puts a command on a node: its network, its name, this machine's everything else.

    nsenter and not `ip netns exec`, which would mount /sys anew and hide the cgroups.
    """
    enter = ("nsenter", f"--net=/run/netns/{node.namespace}", "unshare", "--uts")
    return (*enter, "sh", "-c", f'hostname {node.name} && exec "$@"', "sh")


def make_bridge(layout: Layout) -> None:
    if not succeeds(["ip", "link", "show", layout.bridge]):
        run(["ip", "link", "add", layout.bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{layout.bridge_address}/24", "dev", layout.bridge])
    run(["ip", "link", "set", layout.bridge, "up"])
    # The host's own engine makes DROP the policy for what is forwarded.
    rule = ("FORWARD", "-i", layout.bridge, "-o", layout.bridge, "-j", "ACCEPT")
    if not succeeds(["iptables", "--wait", "-C", *rule]):
        run(["iptables", "--wait", "-I", *rule])


def make(layout: Layout, node: Node) -> None:
    if Path(f"/run/netns/{node.namespace}").exists() and succeeds(within(node, "true")):
        return
    remove(node)
    run(["ip", "netns", "add", node.namespace])
    peer = ("peer", "name", "eth0", "netns", node.namespace)
    run(["ip", "link", "add", node.outer_link, "type", "veth", *peer])
    run(["ip", "link", "set", node.outer_link, "master", layout.bridge, "up"])
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{node.address}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", layout.bridge_address),
    ):
        run(["ip", "-netns", node.namespace, *words])


def within(node: Node, *words: str) -> tuple[str, ...]:
    return (*inside(node), *words)


def remove(node: Node) -> None:
    if Path(f"/run/netns/{node.namespace}").exists():
        run(["ip", "netns", "delete", node.namespace])
    if succeeds(["ip", "link", "show", node.outer_link]):
        run(["ip", "link", "delete", node.outer_link])


def remove_bridge(layout: Layout) -> None:
    rule = ("FORWARD", "-i", layout.bridge, "-o", layout.bridge, "-j", "ACCEPT")
    succeeds(["iptables", "--wait", "-D", *rule])
    if succeeds(["ip", "link", "show", layout.bridge]):
        run(["ip", "link", "delete", layout.bridge])
