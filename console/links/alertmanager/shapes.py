"""The JSON of Alertmanager's API v2. Imported late: it loads msgspec."""

import msgspec


class StatusShape(msgspec.Struct, rename="camel"):
    """What holds an alert back, by id."""

    state: str = "active"
    silenced_by: list[str] = []
    inhibited_by: list[str] = []
    muted_by: list[str] = []


class AlertShape(msgspec.Struct, rename="camel"):
    """One alert."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str = ""
    status: StatusShape = msgspec.field(default_factory=StatusShape)


class SilenceShape(msgspec.Struct, rename="camel"):
    """One silence."""

    id: str
    created_by: str = ""
    comment: str = ""
    ends_at: str = ""
