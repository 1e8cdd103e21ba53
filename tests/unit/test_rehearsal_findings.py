"""Each scenario leads, by the real rules, to the findings that a user would expect."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, ManualClock
from console.model.findings import Severity, Word
from console.model.readings import Reading, Source
from console.model.snapshot import Readings, Snapshot
from console.rehearsal.environment import Rehearsal, open_rehearsal
from console.rehearsal.log import WorldFile
from console.rehearsal.scenarios import CALM
from console.rehearsal.world import Inject, apply, first_log
from console.watch.assembly import Kept, assemble

SECONDS = 30
"""For so long a world is watched, second by second, before it is judged here."""


class Watcher:
    """Reads everything and judges, at a clock's moment."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.links: Rehearsal = open_rehearsal(path, clock)
        self.clock = clock
        self.kept = Kept()

    def look(self) -> Snapshot:
        links, deadline = self.links, Deadline.after(self.clock, 5.0)

        def heard(name: str, value: Any) -> Source[Any]:
            reading: Reading[Any] = Reading(self.clock.now, 0.0, value, skew=0.0)
            source: Source[Any] = Source(name, 10.0)
            return source.heard(reading)

        readings = Readings(
            fleet=heard("engine", links.fleet.read(deadline)),
            intended=tuple(heard(link.name, link.read(deadline)) for link in links.intended),
            metrics=heard("prometheus", links.metrics.read(deadline)),
            rules=heard("rules", links.rules.read(deadline)),
            alertmanager=heard("alertmanager", links.alertmanager.read(deadline)),
            backups=heard("backups", links.backups.read(deadline)),
            edges=tuple(heard(link.name, link.read(deadline)) for link in links.edges),
            hosts=tuple(heard(link.name, link.read(deadline)) for link in links.hosts),
        )
        snapshot, self.kept = assemble(links.environment, readings, self.kept, (), self.clock.now)
        return snapshot

    def watch(self, seconds: int) -> Snapshot:
        snapshot = self.look()
        for _ in range(seconds):
            self.clock.advance(1.0)
            snapshot = self.look()
        return snapshot


def watching(tmp_path: Path, scenario: str) -> Watcher:
    clock = ManualClock(1_795_000_000.0)
    path = tmp_path / "world.jsonl"
    WorldFile(path).create(first_log(scenario, clock.now, seed=1, speed=10.0))
    return Watcher(path, clock)


EXPECTED = {
    CALM: {},
    "replica-crash": {"replica-restarting/shop-backend-6": Severity.P1},
    "bad-release": {"latency/p95": Severity.P1},
    "slow-database": {
        "latency/p95": Severity.P1,
        "database-connections/database": Severity.P2,
        "slow-queries/database": Severity.P2,
    },
    "stale-backup": {"backup-age": Severity.P2},
    "certificate-expiring": {"certificate": Severity.P1},
    "disk-filling": {"disk/prod-1:/var/lib/docker": Severity.P2},
    "outage": {"service": Severity.P0},
}
"""Rule and subject (or how its id begins), and the severity, for each scenario."""


def unmatched(snapshot: Snapshot, scenario: str) -> list[str]:
    """What is expected and missing, or there and not expected."""
    left = dict(EXPECTED[scenario])
    strange = []
    for finding in snapshot.findings:
        known = next((key for key in left if finding.id.startswith(key)), None)
        if known is None or left.pop(known) is not finding.severity:
            strange.append(f"{finding.severity} {finding.id}: {finding.summary}")
    return [f"missing: {key}" for key in left] + strange


@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_world_that_starts_with_it(tmp_path: Path, scenario: str) -> None:
    snapshot = watching(tmp_path, scenario).watch(SECONDS)
    assert unmatched(snapshot, scenario) == []
    word = {CALM: Word.OK, "outage": Word.CRITICAL}.get(scenario, Word.DEGRADED)
    assert snapshot.verdict.word is word
    assert snapshot.rehearsal


@pytest.mark.parametrize("scenario", [name for name in EXPECTED if name != CALM])
def test_a_live_injection_and_its_healing(tmp_path: Path, scenario: str) -> None:
    watcher = watching(tmp_path, CALM)
    assert unmatched(watcher.watch(2), CALM) == []
    for name, seconds in ((scenario, 60), (CALM, 60)):
        inject(watcher, name)
        assert unmatched(watcher.watch(seconds), name) == []


def inject(watcher: Watcher, scenario: str) -> None:
    path = watcher.links.environment.rehearsal
    assert path is not None
    now = watcher.clock.now
    assert WorldFile(path).append(lambda log: apply(log, Inject(scenario), now)) is not None


@pytest.mark.parametrize("scenario", ["slow-database", "disk-filling", "outage"])
def test_a_firing_alert_and_the_rule_that_says_the_same_are_one_finding(
    tmp_path: Path, scenario: str
) -> None:
    watcher = watching(tmp_path, scenario)
    firing = [a.name for a in watcher.links.alertmanager.read(deadline(watcher)).alerts]
    assert len(firing) == 2 and "Watchdog" in firing
    assert not [f for f in watcher.watch(5).findings if f.rule.startswith("alert")]


def test_the_release_stands_among_the_changes(tmp_path: Path) -> None:
    snapshot = watching(tmp_path, "bad-release").watch(1)
    assert any("v1.3.0" in change.text for change in snapshot.changes)


def test_a_silent_watchdog_would_be_found(tmp_path: Path) -> None:
    """The calm world is calm because its Watchdog fires, not because nobody looks."""
    watcher = watching(tmp_path, CALM)
    watcher.look()
    policy = replace(watcher.links.environment.policy, watchdog="NeverFires")
    environment = replace(watcher.links.environment, policy=policy)
    watcher.links = replace(watcher.links, environment=environment)
    found = watcher.watch(SECONDS * 20).findings
    assert any("NeverFires" in finding.summary for finding in found)


def deadline(watcher: Watcher) -> Deadline:
    return Deadline.after(watcher.clock, 5.0)
