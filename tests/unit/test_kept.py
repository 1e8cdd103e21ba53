"""What is kept between commands: shown at once, never taken for seen, never out of date."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from console.commands.keeping import recent
from console.commands.places import place_of
from console.config.environment import Environment
from console.model.findings import Word
from console.model.readings import Sight
from console.model.snapshot import Snapshot
from console.paths import KeptPlace
from console.watch.assembly import Kept
from console.watch.kept import KeptFiles
from console.watch.late import LateWatch
from console.watch.remembered import last_snapshot


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A user with a cofa.toml that was written an hour before anything was kept."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "cofa.toml"
    config.write_text("version = 1\n[environments.production]\n")
    return {"HOME": str(tmp_path), "COFA_CONFIG": str(config)}


ARGS = argparse.Namespace(env=None, config=None, debug=False)


def keep(place: KeptPlace, shown: Snapshot) -> None:
    """Keep this Snapshot at its own moment."""
    KeptFiles(place).save(Kept(shown.readings), shown, Environment("production"))
    os.utime(place.cache, (shown.at, shown.at))


@pytest.fixture
def kept(scenes: ModuleType, environ: dict[str, str]) -> Snapshot:
    shown: Snapshot = scenes.snapshot(scenes.readings())
    place, config = place_of(ARGS, environ)
    assert config is not None
    os.utime(config, (shown.at - 3600, shown.at - 3600))
    keep(place, shown)
    return shown


def test_a_glance_takes_what_is_within_the_pace_of_every_source(
    kept: Snapshot, environ: dict[str, str]
) -> None:
    found = recent(*place_of(ARGS, environ), kept.at + 1.0)
    assert found.snapshot is not None
    assert found.snapshot.at == kept.at + 1.0
    assert found.snapshot.findings == kept.findings
    assert not found.backups_due


def test_one_source_past_its_pace_has_everything_judged_anew(
    kept: Snapshot, environ: dict[str, str]
) -> None:
    shortest = min(source.pace for source in kept.readings if source is not kept.readings.usage)
    found = recent(*place_of(ARGS, environ), kept.at + shortest + 1.0)
    assert found.snapshot is None
    assert not found.backups_due


def test_backups_past_their_pace_are_due(kept: Snapshot, environ: dict[str, str]) -> None:
    assert kept.readings.backups is not None
    assert recent(*place_of(ARGS, environ), kept.at + kept.readings.backups.pace + 1.0).backups_due


def test_a_clock_set_back_makes_nothing_recent(kept: Snapshot, environ: dict[str, str]) -> None:
    assert recent(*place_of(ARGS, environ), kept.at - 60.0).snapshot is None


def test_what_was_kept_before_the_configuration_changed_is_worthless(
    kept: Snapshot, environ: dict[str, str]
) -> None:
    os.utime(environ["COFA_CONFIG"], (kept.at + 1, kept.at + 1))
    found = recent(*place_of(ARGS, environ), kept.at + 2.0)
    assert found.snapshot is None
    assert found.backups_due


def test_a_blind_source_is_asked_again_at_once(
    scenes: ModuleType, environ: dict[str, str], kept: Snapshot
) -> None:
    readings = scenes.readings()
    blind = scenes.snapshot(replace(readings, metrics=scenes.blinded(readings.metrics)))
    keep(place_of(ARGS, environ)[0], blind)
    assert recent(*place_of(ARGS, environ), blind.at + 1.0).snapshot is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format":99}', b"\xff\xfe"])
def test_a_damaged_file_is_as_good_as_none(
    damage: bytes, kept: Snapshot, environ: dict[str, str]
) -> None:
    place, _ = place_of(ARGS, environ)
    place.cache.write_bytes(damage)
    place.state.write_bytes(damage)
    assert last_snapshot(place) is None
    found, environment = KeptFiles(place).load()
    assert (found, environment) == (Kept(), None)


def test_what_is_remembered_is_shown_with_its_values_but_as_unread(
    kept: Snapshot, environ: dict[str, str]
) -> None:
    shown = last_snapshot(place_of(ARGS, environ)[0])
    assert shown is not None
    assert shown.fleet == kept.fleet
    assert shown.verdict.word is Word.UNKNOWN
    assert shown.verdict.reading
    assert {source.sight(shown.at) for source in shown.readings} == {Sight.READING}
    assert all(source.good is not None for source in shown.readings if source.name != "usage")


def test_environments_do_not_share_what_is_kept(environ: dict[str, str]) -> None:
    other = argparse.Namespace(**{**vars(ARGS), "env": "staging"})
    elsewhere = {**environ, "COFA_CONFIG": environ["COFA_CONFIG"] + ".other"}
    places = {place_of(ARGS, environ)[0], place_of(other, environ)[0], place_of(ARGS, elsewhere)[0]}
    assert len(places) == 3


@pytest.mark.parametrize("file", ["cofa.toml", ""])
def test_a_switched_engine_has_kept_files_of_its_own(
    file: str, environ: dict[str, str], tmp_path: Path
) -> None:
    environ = {**environ, "COFA_CONFIG": str(tmp_path / file) if file else ""}
    if not file:
        (tmp_path / "cofa.toml").unlink()
    places = {
        place_of(ARGS, environ)[0],
        place_of(ARGS, {**environ, "DOCKER_HOST": "ssh://staging"})[0],
        place_of(ARGS, {**environ, "DOCKER_CONTEXT": "staging"})[0],
    }
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "production"}')
    places.add(place_of(ARGS, environ)[0])
    assert len(places) == 4


def test_kept_files_are_for_their_owner_alone(kept: Snapshot, environ: dict[str, str]) -> None:
    place, _ = place_of(ARGS, environ)
    assert place.cache.stat().st_mode & 0o777 == 0o600
    assert place.state.stat().st_mode & 0o777 == 0o600


class Began:
    """A watch that notes what it is asked."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.subscribers: list[Any] = []
        self.looked_at: Any = None
        self.closed = False

    def subscribe(self, subscriber: Any) -> Any:
        self.subscribers.append(subscriber)
        return lambda: self.subscribers.remove(subscriber)

    def look_at(self, replicas: Any) -> None:
        self.looked_at = replicas

    def refresh(self) -> None:
        raise AssertionError("nobody asked")

    def follow_logs(self, *_: Any, **__: Any) -> Any:
        return None

    def close(self) -> None:
        self.closed = True


def test_a_late_watch_hands_over_what_was_asked_before_it_began() -> None:
    first, second = Snapshot("first", 0.0), Snapshot("second", 1.0)
    late, began = LateWatch(first), Began(second)
    seen: list[Snapshot] = []
    end = late.subscribe(seen.append)
    late.look_at({"a"})
    late.refresh()
    assert late.snapshot is first
    late.begin(began)
    assert late.snapshot is second
    assert seen == [second]
    assert began.looked_at == {"a"}
    end()
    assert began.subscribers == []


def test_a_subscriber_that_left_takes_no_other_with_it() -> None:
    late = LateWatch(Snapshot("x", 0.0))
    ends = [late.subscribe(lambda _: None) for _ in range(2)]
    ends[0]()
    seen: list[Snapshot] = []
    late.subscribe(seen.append)
    ends[1]()
    late.begin(Began(Snapshot("y", 1.0)))
    assert len(seen) == 1


def test_a_log_that_is_opened_too_early_says_so() -> None:
    said: list[str] = []
    tail = LateWatch(Snapshot("x", 0.0)).follow_logs((), lambda _, message: said.append(message))
    tail.close()
    assert said and "not connected yet" in said[0]


def test_a_watch_that_begins_after_the_user_has_left_is_closed() -> None:
    late, began = LateWatch(Snapshot("x", 0.0)), Began(Snapshot("y", 1.0))
    late.close()
    late.begin(began)
    assert began.closed
