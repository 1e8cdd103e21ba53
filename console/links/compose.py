"""Compose's files on the engine's host: what a plain ``docker compose up`` would make.

Compose itself is asked, with the files that the containers' labels name, so that its
answer is that of an operator's `up` there. Its rendered configuration holds secrets: only
image, count and hash leave this module.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from console.clock import Deadline
from console.errors import FailureKind, LinkError
from console.links.engine.parallel import side_by_side
from console.links.engine.parts import section, text, whole
from console.links.protocols import Completed, HostLink
from console.model.environment_names import masked_text
from console.model.fleet import ComposeOrigin, Fleet, Intended, Intention
from console.text import clean, clean_lines

ImageIds = Callable[[Collection[str], Deadline], Mapping[str, str]]
"""Local image ids of references: :meth:`console.links.engine.link.EngineLink.image_ids`."""

_OUTPUT_LIMIT: Final = 8 << 20
_NO_COMMAND: Final = (126, 127)
_NO_PLUGIN: Final = (
    b"is not a docker command",
    b"unknown command: docker compose",
    b"unknown shorthand flag: 'p' in -p",
    b"unknown flag: --project-directory",
)
_UNSET: Final = "variable is not set"


def origins_of(fleet: Fleet) -> tuple[ComposeOrigin, ...]:
    """Where each Compose project came from: what most of its services say that name files."""
    counts = Counter(service.origin for service in fleet.services if service.origin)
    best: dict[str, ComposeOrigin] = {}
    for origin, _ in sorted(counts.most_common(), key=lambda item: not item[0].config_files):
        best.setdefault(origin.project, origin)
    return tuple(best[project] for project in sorted(best))


class ComposeFiles:
    """An IntendedLink for one project."""

    def __init__(self, origin: ComposeOrigin, host: HostLink, image_ids: ImageIds) -> None:
        """`host`: the machine with the files, usually the engine's."""
        self._origin = origin
        self._host = host
        self._image_ids = image_ids
        self._compose: tuple[str, ...] = ("docker", "compose")

    @property
    def name(self) -> str:
        """Name of the source."""
        return f"compose:{self._origin.project}"

    def read(self, deadline: Deadline) -> Intended:
        """What a plain `up` would make.

        Files that are gone, unreadable or wrong are the answer's `problem`. Raises
        LinkError where the host or the engine fails, or has no Compose.
        """
        astray = [file for file in self._origin.config_files if not file.startswith("/")]
        if astray or not self._origin.config_files:
            named = ", ".join(astray) or "none"
            problem = f"the containers' labels name no file that can be read again: {named}"
            return Intended(self._origin.project, (), problem=problem)
        hashes, rendered = self._ask(deadline)
        failed = next((done for done in (rendered, hashes) if done.code != 0), None)
        if failed is not None:
            return Intended(self._origin.project, (), problem=_problem(failed))
        try:
            services = section(json.loads(rendered.stdout), "services")
        except ValueError:
            return Intended(self._origin.project, (), problem="Compose answered no JSON")
        known = _hashes(hashes.stdout)
        images = {name: self._image(name, section(spec)) for name, spec in services.items()}
        ids = self._image_ids(set(images.values()), deadline)
        intentions = tuple(
            Intention(
                service=f"{self._origin.project}/{clean(name)}",
                image=images[name],
                replicas=_replicas(section(spec)),
                config_hash=known.get(name, ""),
                image_id=ids.get(images[name]),
            )
            for name, spec in sorted(services.items())
        )
        return Intended(self._origin.project, intentions, warnings=_warnings(rendered))

    def cancel(self) -> None:
        """Nothing of its own to shut: its commands are the host's, which has its own cancel."""

    def close(self) -> None:
        """Nothing of its own to give back."""

    def _ask(self, deadline: Deadline) -> tuple[Completed, Completed]:
        """Both questions; with docker-compose where the host has no `docker compose`."""
        try:
            return self._run_both(deadline)
        except _NoComposeError as missing:
            if self._compose == ("docker-compose",):
                raise self._without(missing) from None
        self._compose = ("docker-compose",)
        try:
            return self._run_both(deadline)
        except _NoComposeError as missing:
            self._compose = ("docker", "compose")
            raise self._without(missing) from None

    def _run_both(self, deadline: Deadline) -> tuple[Completed, Completed]:
        questions: Sequence[tuple[str, ...]] = (
            ("config", "--hash", "*"),
            ("config", "--format", "json"),
        )
        try:
            both = side_by_side(lambda question: self._run(question, deadline), questions, deadline)
        except TimeoutError:
            remedy = "run `docker compose config` there by hand, to see what it waits for"
            raise LinkError(
                FailureKind.TIMEOUT, self.name, "Compose did not answer in time", remedy
            ) from None
        return both[0], both[1]

    def _run(self, question: tuple[str, ...], deadline: Deadline) -> Completed:
        try:
            done = self._host.run((*self._words(), *question), deadline, limit=_OUTPUT_LIMIT)
        except LinkError as error:
            if error.failure.kind is FailureKind.MISSING:
                raise _NoComposeError from None
            raise
        lacks = done.code != 0 and any(words in done.stderr for words in _NO_PLUGIN)
        if lacks or done.code in _NO_COMMAND:
            raise _NoComposeError
        return done

    def _words(self) -> tuple[str, ...]:
        origin = self._origin
        words = [*self._compose, "-p", origin.project]
        if origin.working_dir:
            words += ["--project-directory", origin.working_dir]
        for file in origin.config_files:
            words += ["-f", file]
        for file in origin.environment_files:
            words += ["--env-file", file]
        return tuple(words)

    def _image(self, name: str, spec: Mapping[str, Any]) -> str:
        """The image's reference; Compose names what it builds PROJECT-SERVICE."""
        return text(spec.get("image")) or f"{self._origin.project}-{clean(name)}"

    def _without(self, missing: "_NoComposeError") -> LinkError:
        return LinkError(
            FailureKind.MISSING,
            self.name,
            f"{self._host.name} has neither `docker compose` nor `docker-compose`",
            "install docker-compose-plugin there, to see whether a plain `up` would change things",
        )


class _NoComposeError(Exception):
    """The host has no such command."""


def _hashes(output: bytes) -> dict[str, str]:
    """``config --hash '*'`` prints a service's name and its hash on each line."""
    lines = (line.split() for line in output.decode("utf-8", "replace").splitlines())
    return {words[0]: clean(words[1], 128) for words in lines if len(words) == 2}


def _replicas(spec: Mapping[str, Any]) -> int | None:
    """How many `up` makes: the scale, else deploy.replicas, else one."""
    for count in (whole(spec.get("scale")), whole(section(spec, "deploy").get("replicas"))):
        if count is not None:
            return count
    return 1


def _problem(done: Completed) -> str:
    """Compose's own last words, without secrets."""
    words = _words_of(done.stderr)
    said = next((line for line in reversed(words) if _UNSET not in line), "")
    return f"{said or 'it said nothing'} (exit code {done.code})"


def _warnings(done: Completed) -> tuple[str, ...]:
    """Variables that no env file sets: `up` would ship them blank."""
    found = (line for line in _words_of(done.stderr) if _UNSET in line)
    return tuple(dict.fromkeys(found))[:20]


def _words_of(output: bytes) -> list[str]:
    lines = clean_lines(output.decode("utf-8", "replace"), limit=50, line_limit=300)
    return [_message(masked_text(line)).strip() for line in lines if line.strip()]


def _message(line: str) -> str:
    """The message of a line in logrus' form: ``time="..." level=warning msg="..."``."""
    _, found, rest = line.partition('msg="')
    return rest.removesuffix('"').replace('\\"', '"') if found else line
