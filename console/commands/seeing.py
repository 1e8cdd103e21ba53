"""An environment being seen: its links, its watch, and how both follow the fleet."""

import argparse
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from console.clock import Clock, SystemClock
from console.commands.places import place_of
from console.commands.wiring import Opener, specs
from console.config.environment import Environment
from console.config.load import choose, load_config
from console.errors import LinkError, UsageError
from console.links.s3.starting import Spare
from console.model.changes import History
from console.model.fleet import Fleet
from console.model.snapshot import Snapshot
from console.paths import KeptPlace, Paths
from console.watch.kept import KeptFiles
from console.watch.live import LiveWatch

LOG = logging.getLogger("cofa.seeing")
REHEARSAL: Final = "rehearsal"
SAVE_EVERY: Final = 60.0
"""Seconds between two times that a session keeps what it knows: a console may be killed."""
DISCOVER_EVERY: Final = 5.0
"""Seconds between two discoveries."""
RETRY_FIRST: Final = 5.0
RETRY_MOST: Final = 60.0
ADOPTED_MOST: Final = 5.0
"""Seconds that a watch has to go on with other links; the old ones are closed after that."""
GLANCE_MOST: Final = 8.0
"""Seconds after which `cofa glance` says what it has."""


def chosen_environment(
    args: argparse.Namespace, path: Path | None, paths: Paths
) -> Environment | None:
    """The environment that the user named, of the cofa.toml at `path`; None: to be discovered.

    Raises ConfigErrors for a file that is wrong, UsageError for a name it does not have.
    """
    if args.env == REHEARSAL:
        from console.rehearsal.environment import rehearsal_environment

        return rehearsal_environment(paths)
    if path is None:
        if args.env:
            raise UsageError(
                f"--env {args.env}: there is no cofa.toml that could name it; "
                "`cofa init` writes one, or leave --env out to see what is found here"
            )
        return None
    config = load_config(path)
    for warning in config.warnings:
        LOG.warning("%s", warning)
    return choose(config, args.env)


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
        spare: Spare | None = None,
        past: Callable[[], History] = History,
    ) -> None:
        """`environment` None: to be discovered. `files`: what earlier sessions kept; `past`
        is asked where they kept nothing of what changed.

        `fresh`: kept Readings are not used. `patient`: those within their source's pace are
        not read again. `spare`: the process for S3, where it was started beforehand.
        """
        self._clock = clock
        self._paths = paths
        self._environ = environ
        self._opener = Opener(clock, paths, environ, spare)
        self._discovers = environment is None
        self._files = files
        kept, kept_from = self._files.load()
        if not kept.history.looked:
            kept = replace(kept, history=past())
        if environment is None:
            environment = kept_from or Environment("production", discovered=True)
        if fresh or (kept_from is not None and kept_from != environment):
            kept = replace(kept, readings=type(kept.readings)())
        self._environment = environment
        self._fleet: Fleet | None = None
        self._following = threading.Condition()
        self._closed = False
        self._saved = clock.monotonic()
        self._discovered_at = float("-inf")
        self._retry: float | None = None
        """Seconds after which discovery is tried again, as it could not read everything."""
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
        self._save()
        closer = threading.Thread(target=self._opener.close, name="closing", daemon=True)
        closer.start()
        closer.join(0.3)

    def _save(self) -> None:
        self._saved = self._clock.monotonic()
        self._files.save(self.watch.kept, self.watch.snapshot, self._environment)

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
                while not self._closed and (left := self._until_duty()) > 0:
                    self._following.wait(left)
                if self._closed:
                    return
                fleet, shape = self._fleet, self._shape
            if self._saved + SAVE_EVERY <= self._clock.monotonic():
                self._save()
            if fleet is not None and (shape != self._adopted or self._retry is not None):
                self._discover(fleet)
            with self._following:
                self._adopted = shape

    def _until_duty(self) -> float:
        """Seconds until there is something to save, to adopt, or to try again."""
        duties = [self._saved + SAVE_EVERY]
        if self._shape != self._adopted:
            # A replica that crashes in a loop changes the shape with each of its starts.
            duties.append(self._discovered_at + DISCOVER_EVERY)
        if self._retry is not None:
            duties.append(self._discovered_at + self._retry)
        return min(duties) - self._clock.monotonic()

    def _discover(self, fleet: Fleet) -> None:
        whole = False
        try:
            whole = self._adopt(fleet)
        except LinkError as error:
            LOG.warning("discovery: %s", error)
        except Exception:
            LOG.exception("discovery")
        self._discovered_at = self._clock.monotonic()
        self._retry = None if whole else min(RETRY_MOST, 2 * (self._retry or RETRY_FIRST))

    def _adopt(self, fleet: Fleet) -> bool:
        """Go on with what the fleet means; False where not all of it could be found out."""
        whole = True
        if self._discovers:
            from console.commands.discovering import rediscover

            self._environment, whole = rediscover(
                self._environment, fleet, self._opener, self._clock, self._environ
            )
        links = self._opener.open(self._environment, fleet)
        adopted = self.watch.adopt(
            self._environment, specs(links, self._environment, self._looked_at, self._clock)
        )
        if adopted.wait(ADOPTED_MOST):
            self._opener.close_unused()
        return whole


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
    spare: Spare | None = None,
) -> Session:
    """The session for the environment that the command line names."""
    paths = Paths.of(environ)
    place, path = place_of(args, environ)
    environment = chosen_environment(args, path, paths)
    if environment is not None and environment.rehearsal is not None:
        return rehearsal_session(environment, environ, fresh=fresh)
    return Session(
        environment,
        KeptFiles(place),
        SystemClock(),
        paths,
        environ,
        fresh=fresh,
        patient=patient,
        spare=spare,
    )


def rehearsal_session(
    environment: Environment, environ: Mapping[str, str], *, fresh: bool = False
) -> Session:
    """The session for a rehearsed world; what was kept of another world is not used."""
    from console.rehearsal.environment import world_identity
    from console.rehearsal.past import past

    paths, world = Paths.of(environ), environment.rehearsal
    assert world is not None  # noqa: S101 - says so to the type checker
    place = KeptPlace.of(paths, environment.name, str(world), world_identity(world))
    clock = SystemClock()
    return Session(
        environment,
        KeptFiles(place),
        clock,
        paths,
        environ,
        fresh=fresh,
        past=lambda: past(environment, clock.wall()),
    )


def see_once(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    *,
    fresh: bool,
    spare: Spare | None = None,
) -> Snapshot:
    """Everything read once (or kept, and still within its pace), then judged.

    What has not answered after GLANCE_MOST seconds is given up, and said to be blind.
    """
    from console.diagnostics import start_log

    start_log(Paths.of(environ), debug=args.debug)
    session = open_session(args, environ, fresh=fresh, patient=not fresh, spare=spare)
    news = threading.Event()
    session.watch.subscribe(lambda _: news.set())
    session.start(events=False)
    clock = SystemClock()
    end = clock.monotonic() + GLANCE_MOST
    try:
        while not session.settled and (left := end - clock.monotonic()) > 0:
            news.wait(min(left, 0.01))
            news.clear()
        if not session.settled:
            session.watch.give_up().wait(1.0)
        return session.watch.snapshot
    finally:
        session.close()
