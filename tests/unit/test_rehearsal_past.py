"""A rehearsed world has a past that a console can look back on."""

from pathlib import Path

import pytest

from console.model.changes import Change, ChangeKind
from console.rehearsal.environment import environment_of
from console.rehearsal.log import WorldFile
from console.rehearsal.past import past
from console.rehearsal.world import first_log

NOW = 1_795_000_000.0


def changed(folder: Path, scenario: str) -> tuple[Change, ...]:
    path = folder / "world.jsonl"
    WorldFile(path).create(first_log(scenario, NOW, seed=1, speed=10.0))
    return past(environment_of(path), NOW).changes


def test_a_bad_release_is_remembered_as_a_release(tmp_path: Path) -> None:
    (release,) = changed(tmp_path, "bad-release")
    assert release.kind is ChangeKind.RELEASE
    assert release.text == "backend v1.2.3 -> v1.3.0"
    assert NOW - 3600 < release.at < NOW


def test_a_calm_production_has_changed_nothing(tmp_path: Path) -> None:
    assert changed(tmp_path, "calm") == ()


@pytest.mark.parametrize("scenario", ["replica-crash", "outage"])
def test_what_died_is_remembered(scenario: str, tmp_path: Path) -> None:
    assert {change.kind for change in changed(tmp_path, scenario)} & {
        ChangeKind.EXIT,
        ChangeKind.RESTART,
    }
