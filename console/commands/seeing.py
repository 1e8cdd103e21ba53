"""An environment being seen: its links, its watch, and how both follow the fleet."""

import argparse
import logging
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from console.clock import Clock, SystemClock
from console.commands.wiring import Opener, specs
from console.config.environment import Environment
from console.config.load import choose, find_config, load_config
from console.errors import LinkError, UsageError
from console.model.fleet import Fleet
from console.model.snapshot import Snapshot
from console.paths import Paths
from console.watch.kept import KeptFiles
from console.watch.live import LiveWatch

LOG = logging.getLogger("cofa.seeing")
REHEARSAL: Final = "rehearsal"
GLANCE_MOST: Final = 8.0
"""Seconds after which `cofa glance` says what it has."""


def chosen_environment(
    args: argparse.Namespace, environ: Mapping[str, str], paths: Paths
) -> tuple[Environment | None, Path | None]:
    """The environment that the user named, and its file; None where it is to be discovered.

    Raises ConfigErrors for a file that is wrong, UsageError for a name it does not have.
    """
    if args.env == REHEARSAL:
        from console.rehearsal.environment import rehearsal_environment

        return rehearsal_environment(paths), None
    path = find_config(args.config, environ, Path.cwd())
    if path is None:
        if args.env:
            raise UsageError(
                f"--env {args.env}: there is no cofa.toml that could name it; "
                "`cofa init` writes one, or leave --env out to see what is found here"
            )
        return None, None
    config = load_config(path)
    for warning in config.warnings:
        LOG.warning("%s", warning)
    return choose(config, args.env), path


class Session:
    """One environment, watched until closed."""

    def __init__(
        self,
        environment: Environment | None,
        files: KeptFiles,
        clock: Clock,
        paths: Paths,
        environ: Mapping[str, str],
        *,
        fresh: bool = False,
        patient: bool = False,
    ) -> None:
        """`environment` None: to be discovered. `files`: what earlier sessions kept.

        `fresh`: kept Readings are not used. `patient`: those within their source's pace are
        not read again.
        """
        self._clock = clock
        self._paths = paths
        self._environ = environ
        self._opener = Opener(clock, paths, environ)
        self._discovers = environment is None
        self._files = files
        kept, kept_from = self._files.load()
        if environment is None:
            environment = kept_from or Environment("production", discovered=True)
        if fresh or (kept_from is not None and kept_from != environment):
            kept = replace(kept, readings=type(kept.readings)())
        self._environment = environment
        self._fleet: Fleet | None = None
        self._following = threading.Condition()
        self._closed = False
        known = kept.readings.fleet.value if kept.readings.fleet else None
        links = self._opener.open(environment, known)
        self.watch = LiveWatch(
            specs(links, environment, self._looked_at, clock),
            links.fleet,
            environment,
            clock,
            kept=kept,
            patient=patient,
        )
        self._shape = self._adopted = _shape(known)

    @property
    def environment(self) -> Environment:
        """The environment as it is known now."""
        return self._environment

    @property
    def settled(self) -> bool:
        """Whether everything that is known of has been read once."""
        with self._following:
            return self._shape == self._adopted and self.watch.settled

    def start(self, *, events: bool) -> None:
        """Begin to read."""
        self.watch.subscribe(self._hear)
        threading.Thread(target=self._follow_fleet, name="discovery", daemon=True).start()
        self.watch.start(events=events)

    def close(self) -> None:
        """Keep what was read; then stop, without waiting for anybody."""
        with self._following:
            self._closed = True
            self._following.notify_all()
        self.watch.close()
        self._files.save(self.watch.kept, self._environment)
        closer = threading.Thread(target=self._opener.close, name="closing", daemon=True)
        closer.start()
        closer.join(0.3)

    def _looked_at(self) -> frozenset[str]:
        return self.watch.looked_at

    def _hear(self, snapshot: Snapshot) -> None:
        source = snapshot.readings.fleet
        if source is None or source.newest is None or source.newest.value is None:
            return
        with self._following:
            self._fleet = source.newest.value
            self._shape = _shape(self._fleet)
            if self._shape != self._adopted:
                self._following.notify_all()

    def _follow_fleet(self) -> None:
        """Whenever the fleet's shape changes, find out what is to be read now."""
        while True:
            with self._following:
                while not self._closed and self._shape == self._adopted:
                    self._following.wait()
                if self._closed:
                    return
                fleet, shape = self._fleet, self._shape
            try:
                if fleet is not None:
                    self._adopt(fleet)
            except LinkError as error:
                LOG.warning("discovery: %s", error)
            except Exception:
                LOG.exception("discovery")
            with self._following:
                self._adopted = shape

    def _adopt(self, fleet: Fleet) -> None:
        if self._discovers:
            from console.commands.discovering import rediscover

            self._environment = rediscover(
                self._environment, fleet, self._opener, self._clock, self._environ
            )
        links = self._opener.open(self._environment, fleet)
        adopted = self.watch.adopt(
            self._environment, specs(links, self._environment, self._looked_at, self._clock)
        )
        adopted.wait(5.0)


def _shape(fleet: Fleet | None) -> object:
    """What discovery goes by: when it is the same, so is what discovery finds."""
    if fleet is None:
        return None
    return tuple(
        (
            service.key,
            service.image,
            service.origin,
            tuple(
                (replica.name, replica.running, replica.ports, tuple(replica.addresses.items()))
                for replica in service.current
            ),
        )
        for service in fleet.services
    )


def open_session(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    *,
    fresh: bool = False,
    patient: bool = False,
) -> Session:
    """The session for the environment that the command line names."""
    paths = Paths.of(environ)
    environment, path = chosen_environment(args, environ, paths)
    return session_for(environment, path, environ, fresh=fresh, patient=patient)


def session_for(
    environment: Environment | None,
    path: Path | None,
    environ: Mapping[str, str],
    *,
    fresh: bool = False,
    patient: bool = False,
) -> Session:
    """The session for this environment of the file `path`; None: what is found here."""
    paths = Paths.of(environ)
    files = _kept_files(environment, path, environ, paths)
    return Session(environment, files, SystemClock(), paths, environ, fresh=fresh, patient=patient)


def _kept_files(
    environment: Environment | None, path: Path | None, environ: Mapping[str, str], paths: Paths
) -> KeptFiles:
    if environment is None:
        engine = (environ.get(name, "") for name in ("DOCKER_HOST", "DOCKER_CONTEXT"))
        return KeptFiles(paths, "found", "|".join(engine))
    if environment.rehearsal is not None:
        from console.rehearsal.environment import world_identity

        identity = world_identity(environment.rehearsal)
        return KeptFiles(paths, environment.name, str(environment.rehearsal), identity)
    return KeptFiles(paths, environment.name, str(path.resolve()) if path else "")


def see_once(args: argparse.Namespace, environ: Mapping[str, str], *, fresh: bool) -> Snapshot:
    """Everything read once (or kept, and still within its pace), then judged.

    What has not answered after GLANCE_MOST seconds is said to be not read yet.
    """
    from console.diagnostics import start_log

    start_log(Paths.of(environ), debug=args.debug)
    session = open_session(args, environ, fresh=fresh, patient=not fresh and args.env != REHEARSAL)
    news = threading.Event()
    session.watch.subscribe(lambda _: news.set())
    session.start(events=False)
    clock = SystemClock()
    end = clock.monotonic() + GLANCE_MOST
    try:
        while not session.settled and (left := end - clock.monotonic()) > 0:
            news.wait(min(left, 0.05))
            news.clear()
        return session.watch.snapshot
    finally:
        session.close()


def open_console(environment: Environment, environ: Mapping[str, str]) -> int:
    """Open the console on this environment; gives the exit code."""
    return show(session_for(environment, None, environ), environ)


def show(
    session: Session, environ: Mapping[str, str], args: argparse.Namespace | None = None
) -> int:
    """Show the session in the console until the user leaves; gives the exit code.

    Raises UsageError where the terminal cannot show it. Sources are read only after the first
    paint, so that no client's import delays it.
    """
    from console.diagnostics import log_thread_crashes
    from screens.options import Options
    from screens.terminal import terminal_trouble

    options = Options.of(
        session.environment.name,
        environ,
        rehearsal=session.environment.rehearsal is not None,
        read_only=getattr(args, "read_only", False),
        ascii_only=getattr(args, "ascii", False),
        slow=getattr(args, "slow", False),
        theme=getattr(args, "theme", "") or "",
    )
    trouble = terminal_trouble(environ, sys.stdin, sys.stdout, ascii_only=options.ascii)
    if trouble:
        raise UsageError(trouble)
    from screens.app import run_console

    restore = log_thread_crashes()
    try:
        return run_console(session.watch, options, ready=lambda: session.start(events=True))
    finally:
        restore()
        session.close()
