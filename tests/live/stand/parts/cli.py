"""`up` and `down`, in the order that makes sense.

Side by side where it helps: the base images (apt) and the S3 server's
environment (pip) need no engine and take the most time.
"""

from __future__ import annotations

import argparse
import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import describe
import hostnet
import images
import material
import services
from engines import Engine
from layout import Layout
from procs import StandError, say
from production import Production
from swarm import MOST_NODES, Swarm

LOCK_SECONDS = 600


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Two at once would undo each other; the second one waits."""
    path = Path(f"{layout.root}.lock")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        with path.open("w") as lock:
            if taken(lock) and path.exists() and path.samefile(f"/proc/self/fd/{lock.fileno()}"):
                yield
                if not layout.root.exists():
                    path.unlink()
                return
        if time.monotonic() > deadline:
            raise StandError(f"another up or down holds the stand for {LOCK_SECONDS} s")
        time.sleep(0.2)


def taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def up_or_anew(layout: Layout, nodes: int | None) -> None:
    """What was ready once and cannot be mended is taken down and made anew, one time."""
    had = len(Swarm(layout, Engine(layout)).nodes())
    count = max(1, had) if nodes is None else nodes
    was_ready = layout.ready.exists()
    try:
        up(layout, count)
    except StandError as error:
        if not was_ready:
            raise
        say(f"cannot be mended, starting over: {error}")
        down(layout, keep_cache=True)
        up(layout, count)


def up(layout: Layout, nodes: int) -> None:
    layout.make_directories()
    engine = Engine(layout)
    production = Production(engine)
    with ThreadPoolExecutor() as pool:
        ahead: list[Future[object]] = [
            pool.submit(step, *arguments) for step, arguments in early_steps(layout)
        ]
        with timed("keys, registry, engine"):
            first(layout, engine, production)
        for future in ahead:
            future.result()
    with timed("images"):
        images.build_all(engine)
    with timed("S3, sshd"):
        services.s3(layout).start()
        services.configure_sshd(engine)
        services.sshd(layout).start()
    with timed("Compose project"):
        production.start()
    services.traffic(layout).start()
    swarm = Swarm(layout, engine)
    with timed(f"Swarm of {nodes}"):
        swarm.start(nodes)
    write_descriptions(production, swarm)
    layout.ready.touch()
    say(f"ready: {layout.description}")


def write_descriptions(production: Production, swarm: Swarm) -> None:
    layout, nodes = production.layout, swarm.nodes()
    describe.ssh_config(layout, nodes)
    describe.write(layout.description, describe.stand(production, nodes))
    if len(nodes) > 1:
        describe.write(layout.swarm_description, describe.swarm(layout, nodes))
    else:
        layout.swarm_description.unlink(missing_ok=True)


def early_steps(layout: Layout) -> Iterator[tuple[Callable[..., object], tuple[object, ...]]]:
    for base in images.BASES:
        yield images.base_tarball, (layout, base)
    yield services.make_venv, (layout,)


def first(layout: Layout, engine: Engine, production: Production) -> None:
    production.render()
    material.make_certificates(layout)
    material.make_ssh_keys(layout)
    services.configure_registry(layout)
    services.registry(layout).start()
    hostnet.remember(layout, engine)
    engine.start()


def down(layout: Layout, *, keep_cache: bool) -> None:
    if not layout.root.exists():
        say("nothing is there")
        return
    layout.ready.unlink(missing_ok=True)
    engine = Engine(layout)
    for daemon in (services.traffic(layout), services.sshd(layout), services.s3(layout)):
        daemon.stop()
    Swarm(layout, engine).stop()
    Production(engine).stop()
    engine.clear()
    engine.stop()
    services.registry(layout).stop()
    engine.erase()
    hostnet.restore(layout)
    for entry in layout.root.iterdir():
        if not (keep_cache and entry == layout.cache):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if not keep_cache:
        layout.root.rmdir()
    say("gone")


def main() -> int:
    parser = argparse.ArgumentParser(prog="stand", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up")
    start.add_argument(
        "--nodes",
        type=int,
        choices=range(MOST_NODES + 1),
        help="nodes of the Swarm (unless given: as many as there are, else 1)",
    )
    stop = commands.add_parser("down")
    stop.add_argument("--keep-cache", action="store_true", help="keep base images and packages")
    chosen = parser.parse_args()
    layout = Layout.from_environment()
    try:
        with only_one(layout), timed(chosen.command):
            if chosen.command == "up":
                up_or_anew(layout, chosen.nodes)
            else:
                down(layout, keep_cache=chosen.keep_cache)
    except StandError as error:
        layout.ready.unlink(missing_ok=True)
        print(f"stand: {chosen.command} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
