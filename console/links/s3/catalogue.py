"""The catalogue of backups in an S3 bucket, read by a child process that knows boto3."""

import json
from dataclasses import replace
from typing import Any, Final

from console.clock import Clock, Deadline
from console.config.environment import BackupsConfig, SecretRef
from console.errors import CofaError, FailureKind, LinkError
from console.links.http.source import ResolveSecret
from console.links.s3.listing import literal_prefix
from console.links.s3.process import Children, Ended
from console.links.s3.starting import Spare
from console.model.backups import Catalogue, StoredObject, catalogue, key_pattern
from console.text import clean

_NAME: Final = "backups"
_OUTPUT_LIMIT: Final = 16 << 20
_KEY_LIMIT: Final = 1100
"""Characters of a key: S3 allows 1,024 bytes."""


class S3Catalogue:
    """The newest backups of one bucket (a CatalogueLink)."""

    def __init__(
        self,
        config: BackupsConfig,
        clock: Clock,
        resolve_secret: ResolveSecret,
        spare: Spare | None = None,
    ) -> None:
        """`spare` may have a child that was started beforehand."""
        self._spare = spare or Spare()
        self._config = config
        self._clock = clock
        self._resolve_secret = resolve_secret
        where = f" at {clean(config.endpoint, 100)}" if config.endpoint else ""
        self._subject: Final = f"bucket {clean(config.bucket, 100)}{where}"
        self._children = Children()
        self._skew: float | None = None

    @property
    def name(self) -> str:
        return _NAME

    def skew(self) -> float | None:
        return self._skew

    def read(self, deadline: Deadline) -> Catalogue:
        """The newest backups, by the listing that :mod:`catalogue_listing` describes."""
        try:
            pattern = key_pattern(self._config.pattern)
        except ValueError as error:
            raise self._error(
                FailureKind.INVALID, str(error), "correct pattern of [backups]"
            ) from None
        asked = self._clock.wall()
        lines = self._lines(self._ask(self._request(asked, deadline), deadline))
        end = lines[-1]
        self._skew = end.get("skew")
        items = [_item(line["object"]) for line in lines[:-1]]
        found = catalogue(
            clean(self._config.bucket, 100),
            clean(literal_prefix(self._config.pattern), _KEY_LIMIT),
            items,
            pattern,
            self._clock.wall(),
            complete=bool(end["complete"]),
        )
        return replace(found, others=found.others + int(end["others"]))

    def cancel(self) -> None:
        self._children.cancel()

    def close(self) -> None:
        self._children.close()

    def _request(self, now: float, deadline: Deadline) -> bytes:
        config = self._config
        return json.dumps(
            {
                "bucket": config.bucket,
                "pattern": config.pattern,
                "endpoint": config.endpoint,
                "region": config.region,
                "profile": config.profile,
                "ca": str(config.ca) if config.ca else None,
                "access_key": self._secret(config.access_key),
                "secret_key": self._secret(config.secret_key),
                "now": now,
                "seconds": deadline.timeout(),
            }
        ).encode()

    def _secret(self, reference: SecretRef | None) -> str | None:
        if reference is None:
            return None
        try:
            return self._resolve_secret(reference).reveal()
        except LinkError:
            raise
        except CofaError as error:
            raise self._error(
                FailureKind.DENIED,
                f"its credentials cannot be read: {error}",
                "correct access_key and secret_key of [backups]",
            ) from None

    def _ask(self, request: bytes, deadline: Deadline) -> Ended:
        try:
            ended = self._children.ask(self._spare.take, request, deadline)
        except OSError as error:
            raise self._error(
                FailureKind.UNSUPPORTED,
                f"no process can be started to read it ({clean(error.strerror)})",
                "free memory or processes of this user",
            ) from None
        if ended.overdue:
            raise self._error(
                FailureKind.TIMEOUT,
                "no listing in time",
                "check its endpoint; a bucket with very many keys needs a narrower pattern",
            )
        return ended

    def _lines(self, ended: Ended) -> list[dict[str, Any]]:
        """The child's lines, the last of which ends them. Raises LinkError."""
        try:
            lines = [json.loads(line) for line in ended.output.splitlines()]
        except ValueError:
            lines = []
        last = lines[-1] if lines else {}
        if "why" in last:
            raise self._error(
                FailureKind(last["kind"]), clean(last["why"], 400), clean(last["remedy"], 400)
            )
        if "complete" in last:
            return lines
        words = clean(ended.complaints.decode(errors="replace").strip().rpartition("\n")[2], 200)
        if ended.code < 0:
            why = f"the process that reads it was ended by signal {-ended.code}"
            raise self._error(FailureKind.TIMEOUT, why, "it will be read again")
        why = f"the process that reads it ended with code {ended.code}"
        raise self._error(
            FailureKind.INVALID,
            f"{why}: {words}" if words else why,
            "run cofa doctor; if it stays, report it",
        )

    def _error(self, kind: FailureKind, why: str, remedy: str) -> LinkError:
        return LinkError(kind, self._subject, why, remedy)


def _item(fields: list[Any]) -> StoredObject:
    key, size, modified_at, storage_class = fields
    return StoredObject(
        clean(key, _KEY_LIMIT), int(size), float(modified_at), clean(storage_class, 40)
    )
