"""The fleet as a Swarm: one node or three, each an engine in a namespace of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

import images
import namespaces
import services
from engines import Engine
from layout import SOURCE, STACK, Layout, Node
from procs import StandError, last_lines, run, say, succeeds, wait_until

MOST_NODES = 3
REPLICAS = 3


def listening(node: Node) -> tuple[str, ...]:
    return ("--advertise-addr", node.address, "--listen-addr", f"{node.address}:2377")


@dataclass(frozen=True)
class Swarm:
    layout: Layout
    host: Engine

    @property
    def manager(self) -> Engine:
        return Engine(self.layout, Node(1))

    def nodes(self) -> list[Node]:
        """Those that were made and not taken down."""
        every = (Node(number) for number in range(1, MOST_NODES + 1))
        return [node for node in every if Engine(self.layout, node).home.exists()]

    def start(self, count: int) -> None:
        """Exactly so many nodes: those beyond are taken away."""
        for node in self.nodes():
            if node.number > count:
                self._dismiss(node)
        if not count:
            namespaces.remove_bridge(self.layout)
            return
        namespaces.make_bridge(self.layout)
        for number in range(1, count + 1):
            self._start_node(Node(number))
        self._form(count)
        self._deploy()
        self._admit()

    def _dismiss(self, node: Node) -> None:
        self._stop_node(node)
        if node.number > 1 and self.manager.daemon.pid() is not None:
            remove = self.manager.words("node", "rm", "--force", node.name)
            wait_until(f"{node.name} is forgotten", lambda: succeeds(remove), timeout=30)

    def _start_node(self, node: Node) -> None:
        engine = Engine(self.layout, node)
        namespaces.make(self.layout, node)
        services.registry(self.layout, node).start()
        services.configure_sshd(engine)
        services.sshd(self.layout, node).start()
        engine.start()

    def _form(self, count: int) -> None:
        new = self._state(self.manager) != "active"
        if new:
            say("forming the Swarm")
            pool = ("--default-addr-pool", self.layout.overlay_pool)
            self.manager.docker("swarm", "init", *listening(Node(1)), *pool)
        for number in range(2, count + 1):
            self._join(Node(number), anew=new)
        wait_until(f"{count} nodes are ready", lambda: self._ready_nodes() >= count, timeout=60)

    def _join(self, node: Node, *, anew: bool) -> None:
        engine = Engine(self.layout, node)
        if self._state(engine) == "active" and not anew:
            return
        if self._state(engine) != "inactive":
            engine.docker("swarm", "leave", "--force")
        token = self.manager.docker("swarm", "join-token", "--quiet", "worker").strip()
        manager = f"{Node(1).address}:2377"
        engine.docker("swarm", "join", *listening(node), "--token", token, manager)

    @staticmethod
    def _state(engine: Engine) -> str:
        return engine.docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip()

    def _ready_nodes(self) -> int:
        listed = self.manager.docker("node", "ls", "--format", "{{.Status}}").split()
        return listed.count("Ready")

    def _deploy(self) -> None:
        say("deploying the stack")
        if self._lopsided():
            self._empty()
        file = SOURCE / "plaza/stack.yaml"
        words = ("stack", "deploy", "--compose-file", file, "--prune", STACK)
        run(self.manager.words(*words), timeout=120, env=self._values())
        wait_until(
            "the stack's tasks run",
            self.healthy,
            timeout=120,
            explain=self.explain,
            pause=0.3,
        )

    def _lopsided(self) -> bool:
        """Nodes that joined later get their share only when tasks start anew."""
        words = ("service", "ps", "--filter", "desired-state=running", "--format", "{{.Node}}")
        try:
            listed = self.manager.docker(*words, f"{STACK}_backend").split()
        except StandError:
            return False
        return len(set(listed)) < min(len(self.nodes()), REPLICAS)

    def _empty(self) -> None:
        service, quiet = f"{STACK}_backend", ("ps", "--quiet", "--filter")
        self.manager.docker("service", "scale", "--detach", f"{service}=0")
        label = f"label=com.docker.swarm.service.name={service}"
        engines = [Engine(self.layout, node) for node in self.nodes()]
        wait_until(
            "the fleet has stopped",
            lambda: not any(engine.docker(*quiet, label).strip() for engine in engines),
            timeout=60,
            explain=self.explain,
        )

    def _values(self) -> dict[str, str]:
        """By digest: a tag that cannot be pulled would quietly run a local image."""
        found, shop = images.digests(self.host), self.layout.shop
        good = images.full_name(self.host, images.backend("good"))
        edge = images.full_name(self.host, images.EDGE)
        files = {"NGINX": "edge-b/nginx.conf", "SITE": "edge/site.conf"}
        files["CERTIFICATE"] = "certs/edge.pem"
        keys = {
            f"{name}_KEY": hashlib.sha256((shop / path).read_bytes()).hexdigest()[:10]
            for name, path in files.items()
        }
        return {
            "BACKEND_IMAGE": f"{good}@{found[good]['digest'].rpartition('@')[2]}",
            "EDGE_IMAGE": f"{edge}@{found[edge]['digest'].rpartition('@')[2]}",
            "SHOP": str(shop),
            **keys,
        }

    def healthy(self) -> bool:
        """Every task runs, and from the image that was asked for."""
        values, edges = self._values(), len(self.nodes())
        return self._runs("backend", values["BACKEND_IMAGE"], REPLICAS) and self._runs(
            "edge", values["EDGE_IMAGE"], edges
        )

    def _runs(self, service: str, image: str, count: int) -> bool:
        wanted = ("--no-trunc", "--filter", "desired-state=running")
        form = ("--format", "{{.Image}} {{.CurrentState}}")
        tasks = self.manager.docker("service", "ps", *wanted, *form, f"{STACK}_{service}")
        lines = tasks.splitlines()
        return len(lines) == count and all(x.startswith(f"{image} Running") for x in lines)

    def _admit(self) -> None:
        """The edges keep the addresses they resolved at their start: reload, then ask."""
        label = f"label=com.docker.swarm.service.name={STACK}_edge"
        for engine in (Engine(self.layout, node) for node in self.nodes()):
            for edge in engine.docker("ps", "--quiet", "--filter", label).split():
                engine.docker("exec", edge, "nginx", "-s", "reload")
        for node in self.nodes():
            served = partial(self._serves, f"https://{node.address}/api/trips")
            wait_until(f"{node.name}'s edge serves", served, timeout=30, explain=self.explain)

    def _serves(self, url: str) -> bool:
        return services.serves(url, self.layout.keys / "ca.pem")

    def explain(self) -> str:
        form = "{{.Name}} {{.Node}} {{.CurrentState}} {{.Error}}"
        return last_lines(self.manager.docker("stack", "ps", "--no-trunc", "--format", form, STACK))

    def stop(self) -> None:
        for number in range(MOST_NODES, 0, -1):
            self._stop_node(Node(number))
        namespaces.remove_bridge(self.layout)

    def _stop_node(self, node: Node) -> None:
        engine = Engine(self.layout, node)
        services.sshd(self.layout, node).stop()
        engine.stop()
        services.registry(self.layout, node).stop()
        namespaces.remove(node)
        engine.erase()
