"""The Fleet: rows of its table, for services and replicas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.model.findings import Finding, Severity
from console.model.fleet import Replica, Role, Service, Usage
from console.model.hosts_seen import bare
from console.model.signals import Metrics, ReplicaFigures
from console.present import units
from console.present.columns import left, right
from console.present.lines import Line, Segment, line
from console.present.replica import image_words, same_image, trouble_words

RESTARTING: Final = "replica-restarting"
_UP, _CPU, _MEMORY, _P95 = 7, 7, 9, 8
_STYLES: Final = {
    Severity.P0: "p0",
    Severity.P1: "p1",
    Severity.P2: "p2",
    Severity.NOTE: "note",
}


@dataclass(frozen=True, slots=True)
class FleetTable:
    """Makes the rows for a table of `columns`; the first column of each is the marker's."""

    columns: int
    now: float
    usage: Mapping[str, Usage] = field(default_factory=dict)
    """By replica id; what is not in it was not read, and shows as nothing."""
    metrics: Metrics | None = None

    def header(self) -> Line:
        """The heading."""
        name, state, image = self._widths()
        text = (
            f"  {left('service, replica', name)} {left('state', state)} {left('image', image)}"
            f"{right('up', _UP)}{right('cpu', _CPU)}{right('memory', _MEMORY)}"
        )
        return line(Segment(text + self._cell_p95("p95"), "dim"))

    def service(
        self, service: Service, worst: Severity | None, *, folded: bool, label: str = ""
    ) -> Line:
        """One service: how many of its replicas serve, and the worst of their findings."""
        declared = len(service.current) if service.declared is None else service.declared
        count = f"{service.healthy} of {declared}"
        short = service.healthy < declared and not service.one_shot
        word = worst.value if worst else ("ended" if service.one_shot else "ok")
        if worst is None and short:
            word = "starting" if any(r.running for r in service.current) else "down"
        style = _STYLES[worst] if worst else ("p2" if short else "ok")
        starts = [r.started_at for r in service.current if r.running and r.started_at]
        p95 = self._figure("p95") if service.role is Role.BACKEND else ""
        return self._row(
            f" {'+' if folded else '-'}{label or service.name}",
            Segment(f"{count} {word}", style),
            service_image(service),
            units.age(self.now - min(starts)) if starts else "",
            [u for r in service.current if (u := self.usage.get(r.id)) is not None],
            p95,
        )

    def replica(
        self, replica: Replica, finding: Finding | None, *, role: Role = Role.OTHER, label: str = ""
    ) -> Line:
        """One replica, with the worst finding about it; `role` is its service's."""
        words, style = replica_state(replica, finding, self.now)
        up = replica.started_at if replica.running else None
        use = self.usage.get(replica.id)
        return self._row(
            f"    {label or replica.name}",
            Segment(words, style),
            image_words(replica.image),
            units.age(self.now - up) if up else "",
            [use] if use else [],
            self._replica_p95(replica, role),
        )

    def _row(
        self, name: str, state: Segment, image: str, up: str, used: Sequence[Usage], p95: str
    ) -> Line:
        widths = self._widths()
        return line(
            left(name, 2 + widths[0]),
            " ",
            Segment(left(state.text, widths[1]), state.style),
            f" {left(image, widths[2])}{right(up, _UP)}{right(cpu_words(used), _CPU)}"
            f"{right(memory_words(used), _MEMORY)}{self._cell_p95(p95)}",
        )

    def _widths(self) -> tuple[int, int, int]:
        """Of name, state and image; p95 comes from 76 columns on."""
        fixed = 2 + 1 + 1 + _UP + _CPU + _MEMORY + (_P95 if self._has_p95 else 0)
        room = max(24, self.columns - fixed)
        image = min(24, max(7, room * 20 // 100))
        name = max(10, (room - image) * 52 // 100)
        return name, room - image - name, image

    @property
    def _has_p95(self) -> bool:
        return self.columns >= 76

    def _cell_p95(self, text: str) -> str:
        return right(text, _P95) if self._has_p95 else ""

    def _figure(self, name: str) -> str:
        value = self.metrics.value(name) if self.metrics else None
        return units.duration(value) if units.known(value) else ""

    def _replica_p95(self, replica: Replica, role: Role) -> str:
        """A backend's replica that says nothing is told; of others nothing is expected."""
        figures = replica_figures(replica, self.metrics)
        if figures and units.known(figures.p95):
            return units.duration(figures.p95)
        return units.NO_DATA if role is Role.BACKEND and self.metrics else ""


def service_image(service: Service) -> str:
    """What its replicas run; ``mixed`` where they differ."""
    images = [replica.image for replica in service.current]
    if not images:
        return image_words(service.image) if service.image else ""
    if all(same_image(images[0], other) for other in images[1:]):
        return image_words(images[0])
    return "mixed"


def replica_state(replica: Replica, finding: Finding | None, now: float) -> tuple[str, str]:
    """Its state in words, and the name of their style."""
    if not replica.wanted:
        return f"going {replica.state.value}", "dim"
    trouble = "" if replica.serving else trouble_words(replica, now)
    if finding is not None and finding.rule == RESTARTING:
        return f"{finding.severity} restarted {replica.restarts}x", _STYLES[finding.severity]
    if finding is not None:
        said = trouble or finding.rule.removeprefix("replica-").replace("-", " ")
        return f"{finding.severity} {said}", _STYLES[finding.severity]
    return (trouble, "p2") if trouble else (f"ok {replica.health.value}", "ok")


def replica_figures(replica: Replica, metrics: Metrics | None) -> ReplicaFigures | None:
    """What Prometheus says of it, by the address or name under which it is scraped."""
    names = {replica.name.lower(), replica.id[:12], *replica.addresses.values()}
    found = metrics.replicas if metrics else ()
    return next((figures for figures in found if bare(figures.instance) in names), None)


def cpu_words(used: Sequence[Usage]) -> str:
    """Together, in percent of one core, as ``docker stats`` counts."""
    known = [usage.cpu for usage in used if units.known(usage.cpu)]
    return f"{sum(known) * 100:.0f} %" if known else ""


def memory_words(used: Sequence[Usage]) -> str:
    """Together."""
    known = [usage.memory for usage in used if usage.memory is not None]
    return units.size(sum(known)) if known else ""
