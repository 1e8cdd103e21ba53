"""The Glance as people and machines get it, held against golden files.

`COFA_GOLDEN=write pytest tests/unit/test_glance_golden.py` writes them anew; read the
difference before you keep it.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from console.model.readings import Source
from console.model.signals import EndpointFigures, Figure, Unit
from console.model.snapshot import Readings, Snapshot
from console.present.columns import width
from console.present.glance import glance_lines
from console.present.lines import columns_of, plain
from console.present.report import glance_json

GOLDEN = Path(__file__).with_name("golden")
SCHEMA = Path(__file__).parents[2] / "docs" / "json" / "glance.schema.json"


def calm(scenes: ModuleType) -> Snapshot:
    own = (
        Figure("trips created", 12.0, Unit.COUNT, "trips"),
        Figure("photos", None, Unit.COUNT, "p"),
    )
    seen = scenes.readings(metrics=scenes.source("prometheus", scenes.metrics(counters=own)))
    return scenes.snapshot(seen, changed=scenes.RELEASED)


def bad_release(scenes: ModuleType) -> Snapshot:
    shown = scenes.metrics(
        figures=scenes.figures(p95=2.31, db_connections=171.0),
        series={"p95": scenes.series([0.2, None, 0.22] * 15 + [2.2, 2.31] * 6)},
        endpoints=(EndpointFigures("GET", "/api/trips", 48.0, 2.31, 0.001),),
    )
    fires = scenes.alert("HighLatency", "critical", annotations={"summary": "p95 is over 2 s"})
    seen = scenes.with_alerts(fires, metrics=scenes.source("prometheus", shown))
    seen = replace(seen, backups=scenes.source("backups", scenes.catalogue(7 * 3600), pace=300.0))
    return scenes.snapshot(seen, changed=scenes.RELEASED)


def outage(scenes: ModuleType) -> Snapshot:
    dead = scenes.backend(*(scenes.exited(f"shop-backend-{i}") for i in (1, 2, 3)))
    names = ("nginx-1", "nginx-2")
    seen = scenes.with_alerts(
        scenes.alert("APIDown", "critical", since=scenes.NOW - 60),
        scenes.alert("QueueLong", "info"),
        fleet=scenes.source("engine", scenes.fleet(backend=dead), pace=15.0),
        edges=tuple(
            scenes.source(f"edge:{n}", scenes.edge(n, health=scenes.probe(502))) for n in names
        ),
    )
    return scenes.snapshot(seen, changed=scenes.RELEASED)


def blind(scenes: ModuleType) -> Snapshot:
    looks = scenes.Judge()
    slow = scenes.source(
        "prometheus", scenes.metrics(figures=scenes.figures(p95=2.31), endpoints=())
    )
    looks.now = scenes.NOW - 240
    looks.look(scenes.readings(metrics=slow))
    good = scenes.readings(metrics=scenes.source("prometheus", slow.value, at=scenes.NOW - 240))
    dead: dict[str, Any] = {"subject": "host prod-1", "since": scenes.NOW - 180}
    seen = replace(
        good,
        metrics=scenes.blinded(good.metrics, **dead),
        rules=scenes.blinded(good.rules, **dead),
    )
    looks.now = scenes.NOW
    return scenes.snapshot(seen, found=looks.look(seen))


def reading(scenes: ModuleType) -> Snapshot:
    names = ("fleet", "metrics", "rules", "backups")
    waiting: dict[str, Any] = {name: Source(name, 10.0) for name in names}
    return scenes.snapshot(Readings(**waiting))


def hostile(scenes: ModuleType) -> Snapshot:
    """What a link lets through: markup, wide and joined characters, no end in sight."""
    name = "[/nope][red]{0}%s" + "漢字" * 40
    ill = scenes.unhealthy(f"shop-{name}-2")
    many = [scenes.alert(f"Alert{i} [bold]👩‍👩‍👧 é" + "x" * 300, "warning") for i in range(30)]
    own = (Figure("[link=x]" + "長" * 90, 3.0, Unit.COUNT, "q"),)
    seen = scenes.with_alerts(
        *many,
        fleet=scenes.source("engine", scenes.fleet(backend=scenes.three(r2=ill)), pace=15.0),
        metrics=scenes.source("prometheus", scenes.metrics(counters=own)),
    )
    return replace(scenes.snapshot(seen, changed=scenes.RELEASED), environment="prod" + "長" * 60)


def rehearsal(scenes: ModuleType) -> Snapshot:
    return scenes.snapshot(scenes.readings(), rehearsal=True)


SCENES: dict[str, Callable[[ModuleType], Snapshot]] = {
    made.__name__: made for made in (calm, bad_release, outage, blind, reading, hostile, rehearsal)
}
SIZES = ((80, 24), (120, 40))


def against_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("COFA_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"{name} differs; see this module's docstring"


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("name", SCENES)
def test_glance_text(scenes: ModuleType, name: str, columns: int, rows: int) -> None:
    shown = SCENES[name](scenes)
    lines = glance_lines(shown, columns, rows, now=shown.at)
    assert len(lines) <= rows
    assert max(columns_of(line) for line in lines) <= columns
    text = "".join(plain(line) + "\n" for line in lines)
    against_golden(f"glance-{name}-{columns}x{rows}.txt", text)


@pytest.mark.parametrize("name", SCENES)
def test_glance_json(scenes: ModuleType, name: str) -> None:
    made = glance_json(SCENES[name](scenes))
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(made)
    text = json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    against_golden(f"glance-{name}.json", text)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("columns", [40, 57, 60, 79, 81, 100, 200, 399])
def test_no_line_is_ever_too_wide(scenes: ModuleType, name: str, columns: int) -> None:
    shown = SCENES[name](scenes)
    for rows in (20, 24, 60, None):
        for line in glance_lines(shown, columns, rows, now=shown.at):
            assert width("".join(text for text, _ in line)) <= columns


def test_the_schema_refuses_what_it_does_not_know(scenes: ModuleType) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    made = glance_json(calm(scenes))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**made, "extra": 1}, schema)
    del made["vitals"]["p95_ms"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema)


def test_what_is_not_known_is_null(scenes: ModuleType) -> None:
    vitals = glance_json(reading(scenes))["vitals"]
    assert vitals["p95_ms"] is None and vitals["alerts_firing"] is None
    assert vitals["backup"] == {"key": None, "age_s": None}
    assert vitals["replicas"] == {"healthy": None, "declared": None}
