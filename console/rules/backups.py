"""Backups: too old, missing, dated in the future."""

from collections.abc import Iterator

from console.model.backups import Backup, Catalogue
from console.model.findings import PlaceKind, Severity
from console.present import units
from console.rules.view import Candidate, Kind, View


def candidates(view: View) -> Iterator[Candidate]:
    """The catalogue's troubles."""
    source = view.readings.backups
    catalogue = view.seen(source)
    if source is None or catalogue is None:
        return
    newest = catalogue.newest
    if newest is None:
        yield _missing(view, source.name, catalogue)
    elif view.now - newest.started_at > view.policy.rpo + view.policy.dump_duration:
        yield _old(view, source.name, catalogue, newest)
    if catalogue.future:
        yield _future(view, source.name, catalogue)


def _where(catalogue: Catalogue) -> str:
    return f"s3://{catalogue.bucket}/{catalogue.prefix}"


def _missing(view: View, source: str, catalogue: Catalogue) -> Candidate:
    other = f", {units.plural(catalogue.others, 'other key')}" if catalogue.others else ""
    finding = view.finding(
        "backup-missing",
        catalogue.bucket,
        Severity.P1,
        f"no backup in {_where(catalogue)}{other}",
        (PlaceKind.BACKUP, catalogue.bucket),
        source,
        evidence=(f"listing of {_where(catalogue)}: no key matches the configured pattern",),
        runbook="backup-verify",
    )
    return Candidate(finding, kind=Kind.BACKUP)


def _old(view: View, source: str, catalogue: Catalogue, newest: Backup) -> Candidate:
    """Age counts from the dump's start, so the RPO alone would be broken in each cycle."""
    age, limit = view.now - newest.started_at, view.policy.rpo + view.policy.dump_duration
    finding = view.finding(
        "backup-age",
        catalogue.bucket,
        Severity.P1 if age > 2 * limit else Severity.P2,
        f"newest backup {units.span(age)} old, limit {units.span(view.policy.rpo)} "
        f"+ {units.span(view.policy.dump_duration)} dump",
        (PlaceKind.BACKUP, newest.key),
        source,
        since=newest.started_at + limit,
        evidence=(f"newest in {_where(catalogue)}: {newest.key}, {units.size(newest.size)}",),
        runbook="backup-verify",
    )
    return Candidate(finding, kind=Kind.BACKUP)


def _future(view: View, source: str, catalogue: Catalogue) -> Candidate:
    first = catalogue.future[0]
    ahead = units.span(first.started_at - view.now)
    finding = view.finding(
        "backup-future",
        catalogue.bucket,
        Severity.P2,
        f"{units.plural(len(catalogue.future), 'backup')} dated in the future, by up to {ahead}",
        (PlaceKind.BACKUP, first.key),
        source,
        evidence=tuple(f"{b.key}: {units.full_moment(b.started_at)}" for b in catalogue.future[:8]),
        runbook="backup-verify",
    )
    return Candidate(finding)
