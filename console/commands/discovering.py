"""Discovery's rim: reads what console.config.discovery judges."""

import logging
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from console.clock import Clock, Deadline
from console.commands.wiring import Links, Opener, engine_host
from console.config.carry import carry_over
from console.config.discovery import (
    ALERTMANAGER_PORT,
    PROMETHEUS_PORT,
    Discovery,
    Seen,
    discover,
    vantage_of,
)
from console.config.environment import EngineConfig, Environment, HttpConfig
from console.config.hints import Variables, certificate_names, env_file_variables
from console.errors import LinkError, UsageError
from console.links.protocols import AlertsLink, Completed, HostLink
from console.model.fleet import ComposeOrigin, Fleet, of_projects
from console.text import clean

LOG = logging.getLogger("cofa.discovery")
FLEET_SECONDS: Final = 15.0
FILE_SECONDS: Final = 5.0
PORT_SECONDS: Final = 2.0
FILE_LIMIT: Final = 1 << 18
"""Bytes that are read of one env file or Compose file."""
FILES_MOST: Final = 40


@dataclass(frozen=True, slots=True)
class EnvFiles:
    """What was read, and what could not be."""

    files: tuple[Variables, ...] = ()
    doubts: tuple[str, ...] = ()


_ENV_FILE: Final = re.compile(
    r"""^[ \t]+env_file:[ \t]*(?P<one>[^\s#\[{][^\n#]*)?(?:\#[^\n]*)?\n
    (?P<more>(?:[ \t]+(?:-[ \t]+)?(?:path:)?[^\n:]*\n)*)""",
    re.MULTILINE | re.VERBOSE,
)


def discover_now(
    opener: Opener,
    environ: Mapping[str, str],
    clock: Clock,
    name: str,
    address: str = "",
    project: str = "",
) -> Discovery:
    """What the engine at `address` (empty: the current one) runs, as an Environment.

    Of one `project` alone, where one is named. The engine's address is pinned in it. Raises
    LinkError where it cannot be read, UsageError where it runs no such project.
    """
    projects = (project,) if project else ()
    bare = Environment(name, engine=EngineConfig(address), projects=projects, discovered=True)
    engine = opener.engine(bare)
    pinned = replace(bare, engine=engine)
    fleet = opener.open(pinned).fleet.read(Deadline.after(clock, FLEET_SECONDS))
    there = sorted({service.project for service in fleet.services if service.project})
    if project and project not in there:
        words = ", ".join(there) or "none"
        raise UsageError(f"--project {clean(project)} runs nothing there; what does: {words}")
    return _discovery(pinned, fleet, opener, clock, _engine_why(address, environ))


def rediscover(
    environment: Environment,
    fleet: Fleet,
    opener: Opener,
    clock: Clock,
    environ: Mapping[str, str],
) -> tuple[Environment, bool]:
    """A discovered environment as it is now that its `fleet` is known; False where not all
    of the files that describe it could be read.

    Its engine stays as it was written, and what is only down stays in it. Raises LinkError.
    """
    engine = opener.engine(environment)
    resolved = replace(environment, engine=engine)
    why = _engine_why(environment.engine.address, environ)
    found = _discovery(resolved, fleet, opener, clock, why)
    now = carry_over(environment, found.environment, fleet, files_read=found.files_read)
    return replace(now, engine=environment.engine), found.files_read


def _discovery(
    environment: Environment, fleet: Fleet, opener: Opener, clock: Clock, why: str
) -> Discovery:
    fleet = of_projects(fleet, environment.projects)
    opener.open(environment, fleet)
    host = opener.host(environment)
    read = read_env_files(fleet, host, clock) if host is not None else EnvFiles()
    config = engine_host(environment, environment.engine)
    seen = Seen(
        fleet,
        environment.engine,
        why,
        config,
        read.files,
        read.doubts,
        projects=environment.projects,
    )
    first = discover(seen, environment.name)
    links = opener.open(_with_usual_ports(first.environment, seen), fleet)
    asked = replace(
        seen,
        certificates=tuple(_certificates(first, links, clock)),
        answering=_answering(first.environment, links, clock),
    )
    return discover(asked, environment.name) if asked != seen else first


def read_env_files(fleet: Fleet, host: HostLink, clock: Clock) -> EnvFiles:
    """The env files that the labels of `fleet` and its Compose files name, on the host."""
    files: dict[str, Variables] = {}
    doubts: list[str] = []
    tried: set[str] = set()
    try:
        for origin in dict.fromkeys(service.origin for service in fleet.services):
            for path, named in _env_paths(origin, host, clock) if origin else ():
                if path in tried or len(tried) >= FILES_MOST:
                    continue
                tried.add(path)
                done = _read(host, path, clock)
                if done.code == 0:
                    files[path] = env_file_variables(path, _decoded(done))
                elif named or b"denied" in done.stderr.lower():
                    why = clean(done.stderr.decode("utf-8", "replace").strip(), 120)
                    doubts.append(f"what {path} says is not known: {why}")
    except LinkError as error:
        # The other files would fail alike, each after its deadline.
        doubts.append(f"env files were not read: {error}")
    return EnvFiles(tuple(files.values()), tuple(doubts))


def named_env_files(compose: str) -> Iterator[str]:
    """Paths after ``env_file:`` in the text of a Compose file, without those with variables."""
    for match in _ENV_FILE.finditer(compose + "\n"):
        lines = (match["one"] or "", *(match["more"] or "").splitlines())
        for line in lines:
            path = line.strip().removeprefix("-").strip().removeprefix("path:")
            path = path.partition(" #")[0].strip().strip("'\"")
            if path and not re.search(r"[$\s\x00-\x1f]", path):
                yield path


def _env_paths(origin: ComposeOrigin, host: HostLink, clock: Clock) -> Iterator[tuple[str, bool]]:
    """(path, whether a label or a file names it), the likeliest first."""
    folder = origin.working_dir or "/"
    for path in origin.environment_files:
        yield _absolute(folder, path), True
    yield _absolute(folder, ".env"), False
    for file in origin.config_files:
        done = _read(host, _absolute(folder, file), clock)
        for named in named_env_files(_decoded(done)) if done.code == 0 else ():
            yield _absolute(folder, named), True


def _absolute(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, path))


def _read(host: HostLink, path: str, clock: Clock) -> Completed:
    argv = ("head", "-c", str(FILE_LIMIT), "--", path)
    return host.run(argv, Deadline.after(clock, FILE_SECONDS), limit=FILE_LIMIT)


def _decoded(done: Completed) -> str:
    return done.stdout.decode("utf-8", "replace")


def _with_usual_ports(found: Environment, seen: Seen) -> Environment:
    """`found`, with Prometheus and Alertmanager where they usually are if no container is one."""
    vantage = vantage_of(seen)
    prometheus, alertmanager = (
        HttpConfig(f"http://{vantage.loopback}:{port}", vantage.through)
        for port in (PROMETHEUS_PORT, ALERTMANAGER_PORT)
    )
    return replace(
        found,
        prometheus=found.prometheus or prometheus,
        alertmanager=found.alertmanager or alertmanager,
    )


def _answering(found: Environment, links: Links, clock: Clock) -> dict[int, str]:
    """Which of the two answers there, though no container is one."""
    result: dict[int, str] = {}
    if found.prometheus is None and _answers(links.rules, clock):
        result[PROMETHEUS_PORT] = "Prometheus answers"
    if found.alertmanager is None and _answers(links.alertmanager, clock):
        result[ALERTMANAGER_PORT] = "Alertmanager answers"
    return result


def _certificates(found: Discovery, links: Links, clock: Clock) -> Iterator[Variables]:
    """What the first edge's certificate says, if nothing else names the domain."""
    if found.domain_known:
        return
    for edge in links.edges[:1]:
        try:
            report = edge.read(Deadline.after(clock, PORT_SECONDS))
        except LinkError as error:
            LOG.info("not asked for its certificate: %s", error)
            continue
        if report.certificate is not None:
            yield certificate_names(report.name, report.certificate.names)


def edge_doubts(found: Discovery, opener: Opener, clock: Clock) -> tuple[str, ...]:
    """What each edge answers that would be a trouble once it is written down and no guess."""
    doubts: list[str] = []
    for edge in opener.open(found.environment).edges:
        try:
            report = edge.read(Deadline.after(clock, FILE_SECONDS))
        except LinkError as error:
            doubts.append(str(error))
            continue
        certificate, health = report.certificate, report.health
        if certificate is not None and certificate.problem:
            doubts.append(
                f"the certificate of edge {report.name} is refused ({certificate.problem}): "
                "correct its `url`, or name its authority as its `ca`"
            )
        if health.status is not None and not health.ok:
            doubts.append(
                f"edge {report.name} answers {health.status} for {health.url}: correct `health`"
            )
    return tuple(doubts)


def _answers(link: AlertsLink | None, clock: Clock) -> bool:
    if link is None:
        return False
    try:
        link.read(Deadline.after(clock, PORT_SECONDS))
    except LinkError:
        return False
    return True


def _engine_why(address: str, environ: Mapping[str, str]) -> str:
    if address:
        return "as named on the command line"
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        if environ.get(name):
            return f"by {name}"
    return "Docker's current context"
