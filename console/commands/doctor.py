"""`cofa doctor`: tries every link for real, and says how to mend what fails."""

import argparse
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from console.clock import Clock, SystemClock
from console.commands import doctor_local
from console.commands.arguments import parser
from console.commands.doctor_probes import Answer, Probe
from console.commands.wiring import Links, Opener
from console.config.environment import (
    HERE,
    BackupsConfig,
    Config,
    Environment,
    HttpConfig,
    SecretRef,
)
from console.errors import LinkError
from console.links.protocols import Link
from console.model.fleet import Fleet
from console.paths import Paths
from console.present import doctor as present
from console.present.doctor import Check, Mark, Missing
from console.text import clean

SECONDS: Final = 12.0
SLOW_SECONDS: Final = 20.0
"""For links that start programs or read much: backups, Compose's files."""
CLOSING_SECONDS: Final = 2.0
SCHEMA: Final = 1
Said = Callable[[Any], tuple[str, tuple[Missing, ...]]]


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Check everything. 0: all was reached; 1: something was not. Raises CofaError."""
    args = _arguments(argv)
    clock, paths = SystemClock(), Paths.of(environ)
    printer = _Printer(as_json=args.json)
    printer.title("here")
    for check in doctor_local.local_checks(environ, paths, sys.stdout):
        printer.add(check)
    opener = Opener(clock, paths, environ)
    try:
        environment = _environment(args, environ, paths, opener, clock, printer)
        if environment is not None:
            printer.title(f"links of {environment.name}")
            for check in Doctor(environment, opener, clock).checks():
                printer.add(present.with_clock(check, environment.policy.skew), link=True)
        printer.end(environment.name if environment else None)
    finally:
        _close(opener)
    return printer.code


def _close(opener: Opener) -> None:
    """Close the links, without waiting for one that hangs."""
    closer = threading.Thread(target=opener.close, name="closing", daemon=True)
    closer.start()
    closer.join(CLOSING_SECONDS)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    made = parser("doctor", "Try every link for real, and say how to mend what fails.")
    made.add_argument("--json", action="store_true", help="for machines")
    return made.parse_args(list(argv))


def _environment(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    paths: Paths,
    opener: Opener,
    clock: Clock,
    printer: "_Printer",
) -> Environment | None:
    """The environment to look at; None where there is no file and nothing to discover."""
    from console.commands.places import place_of
    from console.commands.seeing import chosen_environment
    from console.config.load import load_config

    _, path = place_of(args, environ)
    chosen = chosen_environment(args, path, paths)
    config: Config | None = load_config(path) if path is not None else None
    if chosen is None or not chosen.rehearsal:
        printer.add(doctor_local.configuration(config))
    if chosen is None:
        chosen = _discovered(environ, opener, clock, printer)
    agent = doctor_local.agent(chosen, environ) if chosen and not chosen.rehearsal else None
    if agent is not None:
        printer.add(agent)
    return chosen


def _discovered(
    environ: Mapping[str, str], opener: Opener, clock: Clock, printer: "_Printer"
) -> Environment | None:
    from console.commands.discovering import discover_now

    try:
        found = discover_now(opener, environ, clock, "production")
    except LinkError as error:
        printer.add(present.failed("engine", error.failure), link=True)
        return None
    missing = tuple(Missing(clean(doubt), "") for doubt in found.doubts)
    mark = Mark.NOTE if missing else Mark.OK
    printer.add(Check("discovery", mark, "went by what the engine runs", missing=missing))
    return found.environment


class Doctor:
    """Tries the links of one environment."""

    def __init__(self, environment: Environment, opener: Opener, clock: Clock) -> None:
        self._environment = environment
        self._opener = opener
        self._clock = clock

    def checks(self) -> Iterator[Check]:
        """One for each link, in an order of their own; and for each part that is not there."""
        try:
            links = self._opener.open(self._environment)
        except LinkError as error:
            yield present.failed("engine", error.failure)
            return
        parts = self._parts(links)
        probes = [(self._probe(link).start(), where, said) for link, where, said in parts]
        fleet: Fleet | None = None
        for probe, where, said in probes:
            answer = probe.answer()
            if probe.link is links.fleet:
                fleet = answer.value
            yield self._check(probe.link, answer, where, said)
        yield from self._compose(fleet)
        yield from self._absent()

    def _compose(self, fleet: Fleet | None) -> Iterator[Check]:
        """Compose's files, which only the fleet's labels name."""
        if fleet is None:
            return
        intended = self._opener.open(self._environment, fleet).intended
        probes = [self._probe(link).start() for link in intended]
        for probe in probes:
            yield self._check(probe.link, probe.answer(), "", present.intended_said)

    def _probe(self, link: Any) -> Probe:
        slow = link.name.startswith(("backups", "s3", "compose", "intended"))
        return Probe(link, link.read, SLOW_SECONDS if slow else SECONDS, self._clock)

    def _check(self, link: Link, answer: Answer, where: str, said: Said) -> Check:
        name = clean(link.name, 60)
        if answer.failure is not None:
            return present.failed(name, answer.failure, answer.took)
        if link.name.startswith("edge"):
            words, missing, failure = present.edge_said(
                answer.value, self._clock.wall(), self._environment.policy
            )
            if failure is not None:
                return present.failed(name, failure, answer.took)
        else:
            words, missing = said(answer.value)
        return present.check_of(name, where, words, missing, answer.took, answer.skew)

    def _parts(self, links: Links) -> Iterator[tuple[Any, str, Said]]:
        environment = self._environment
        for host in links.hosts:
            yield host, "", present.host_said
        yield links.fleet, clean(environment.engine.address), present.fleet_said
        for edge in links.edges:
            yield edge, "", lambda _: ("", ())
        if environment.prometheus is not None:
            where = asked(environment.prometheus)
            yield links.metrics, where, present.metrics_said
            yield links.rules, where, present.rules_said
        if environment.alertmanager is not None:
            yield links.alertmanager, asked(environment.alertmanager), present.alerts_said
        if environment.backups is not None:
            yield (
                links.backups,
                keyed(environment.backups),
                lambda value: present.catalogue_said(value, self._clock.wall()),
            )

    def _absent(self) -> Iterator[Check]:
        if self._environment.rehearsal is not None:
            return
        lost = {
            "edges": "nothing is asked as users ask",
            "prometheus": "no latency, no errors, no alerts",
            "alertmanager": "no silences",
            "backups": "no age of the newest backup",
        }
        for part, loss in lost.items():
            if not getattr(self._environment, part):
                brackets = f"[[{part}]]" if part == "edges" else f"[{part}]"
                remedy = Missing("", f"write {brackets} into cofa.toml, if there is one")
                yield Check(part, Mark.ABSENT, f"not configured: {loss}", missing=(remedy,))


def asked(config: HttpConfig) -> str:
    """Where, from where and as whom: ``http://127.0.0.1:9090 from prod-1 as cofa``."""
    through = f" from {config.through}" if config.through != HERE else ""
    who = f"as {config.username}" if config.username else "without credentials"
    if config.bearer is not None:
        who = f"by the token {_source(config.bearer)}"
    return clean(f"{config.url}{through} {who}")


def keyed(config: BackupsConfig) -> str:
    """With which key: ``key AWS_ACCESS_KEY_ID of /srv/shop/.env``."""
    if config.access_key is not None:
        return clean(f"by the key {_source(config.access_key)}")
    return clean(f"by profile {config.profile}" if config.profile else "by boto3's usual key")


def _source(ref: SecretRef) -> str:
    if ref.env is not None:
        return f"in {ref.env}"
    if ref.file is not None:
        return f"in {ref.file}"
    if ref.env_file is not None:
        return f"{ref.key} in {ref.env_file}"
    return f"that {(ref.command or ('a command',))[0]} gives"


class _Printer:
    """Says each check as soon as it is known; as JSON, all of them at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._checks: list[Check] = []
        self._links: list[Check] = []
        self._columns = min(shutil.get_terminal_size((80, 24)).columns, 120)

    @property
    def code(self) -> int:
        """1 if anything failed."""
        return int(any(check.mark is Mark.FAIL for check in self._checks))

    def title(self, text: str) -> None:
        if not self._json:
            print(text, flush=True)

    def add(self, check: Check, *, link: bool = False) -> None:
        self._checks.append(check)
        self._links += [check] if link else []
        if not self._json:
            print("\n".join(present.lines(check, self._columns)), flush=True)

    def end(self, environment: str | None) -> None:
        if not self._json:
            print(present.summary(self._links), flush=True)
            return
        whole = {
            "schema": SCHEMA,
            "environment": environment,
            "ok": self.code == 0,
            "checks": [present.to_json(check) for check in self._checks],
        }
        print(json.dumps(whole, indent=2), flush=True)
