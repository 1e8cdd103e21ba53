"""The stand's bucket and edges through the real links."""

import time
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import BackupsConfig, EdgeConfig, SecretRef
from console.errors import FailureKind, LinkError
from console.links.edge.probe import EdgeProbe
from console.links.s3.catalogue import S3Catalogue
from console.secret import Secret

pytestmark = pytest.mark.live

PATTERN = "database/shop_prod_%Y%m%d_%H%M%S.backup"


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


def catalogue(stand: Any, bucket: str, pattern: str = PATTERN) -> S3Catalogue:
    config = BackupsConfig(
        bucket,
        pattern,
        stand.s3.endpoint,
        stand.s3.region,
        access_key=SecretRef(env="access_key"),
        secret_key=SecretRef(env="secret_key"),
    )
    return S3Catalogue(config, SystemClock(), lambda ref: Secret(getattr(stand.s3, ref.env or "")))


def test_the_newest_backups(stand: Any) -> None:
    reader = catalogue(stand, stand.s3.bucket)
    found = reader.read(soon())
    assert found.newest is not None and found.newest.size > 0
    assert 0 < time.time() - found.newest.started_at < 7 * 3600
    assert found.newest.stored_at >= found.newest.started_at
    assert found.newest.storage_class == "STANDARD_IA"
    starts = [backup.started_at for backup in found.backups]
    assert starts == sorted(starts, reverse=True) and len(starts) > 20
    assert abs(reader.skew() or 0.0) < 2


def test_a_whole_year_where_keys_do_not_sort(stand: Any) -> None:
    found = catalogue(stand, stand.s3.bucket, "database/*_prod_%Y%m%d_%H%M%S.backup").read(soon())
    assert found.complete
    assert found.backups[0].started_at - found.backups[-1].started_at > 300 * 86400


def test_a_hundred_thousand_keys(stand: Any) -> None:
    found = catalogue(stand, stand.s3.crowded_bucket).read(soon())
    assert found.newest is not None and not found.complete
    assert time.time() - found.newest.started_at < 2 * 86400


@pytest.mark.parametrize(
    ("bucket", "kind", "words"),
    [
        ("denied", FailureKind.DENIED, "s3:ListBucket on arn:aws:s3:::"),
        ("no-such-bucket-here", FailureKind.MISSING, "no such bucket"),
    ],
)
def test_a_bucket_that_denies_or_is_not_there(
    stand: Any, bucket: str, kind: FailureKind, words: str
) -> None:
    name = stand.s3.denied_bucket if bucket == "denied" else bucket
    with pytest.raises(LinkError) as caught:
        catalogue(stand, name).read(soon())
    assert caught.value.failure.kind is kind and words in str(caught.value)


def edge(one: Any, **more: Any) -> EdgeProbe:
    config = {
        "name": one.service,
        "url": f"https://{one.domain}",
        "connect": f"{one.host}:{one.https_port}",
        "http_connect": f"{one.host}:{one.http_port}",
        "ca": Path(one.ca_file),
        **more,
    }
    return EdgeProbe(EdgeConfig(**config), None, SystemClock())


def test_every_edge_of_the_stand(stand: Any) -> None:
    for one in stand.edges:
        probe = edge(one)
        report = probe.read(soon())
        assert report.health.ok and 0 < report.health.took < 10
        assert report.redirect is not None and report.redirect.status == 301
        assert report.redirect.location.startswith(f"https://{one.domain}")
        assert report.certificate is not None and report.certificate.problem == ""
        assert one.domain in report.certificate.names
        assert report.certificate.not_after > time.time()
        assert abs(probe.skew() or 0.0) < 2


def test_an_edge_under_another_name_and_by_another_authority(stand: Any) -> None:
    one = stand.edges[0]
    report = edge(one, url="https://other.test").read(soon())
    assert report.certificate is not None
    assert report.certificate.problem == "made for another name"
    assert report.health.ok, "what stands behind a refused certificate is told apart from it"
    report = edge(one, ca=None).read(soon())
    assert report.certificate is not None
    assert "not trusted" in report.certificate.problem


def test_documents_that_must_not_be_there_are_a_status(stand: Any) -> None:
    report = edge(stand.edges[0], health="/no/such/page").read(soon())
    assert report.health.status == 404 and not report.health.ok
