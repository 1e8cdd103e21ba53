"""The JSON of Prometheus's rules and alerts. Imported late: it loads msgspec."""

import msgspec


class AlertShape(msgspec.Struct, rename="camel"):
    """One alert."""

    state: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    active_at: str = ""
    value: str = ""


class RuleShape(msgspec.Struct, rename="camel"):
    """One rule; a recording rule has no alerts."""

    name: str
    type: str
    query: str = ""
    health: str = "unknown"
    last_error: str = ""
    labels: dict[str, str] = {}
    alerts: list[AlertShape] = []


class GroupShape(msgspec.Struct):
    """One group of rules."""

    rules: list[RuleShape] = []


class RulesData(msgspec.Struct):
    """All groups."""

    groups: list[GroupShape]


class RulesAnswer(msgspec.Struct):
    """/api/v1/rules."""

    data: RulesData


class AlertsData(msgspec.Struct):
    """All alerts."""

    alerts: list[AlertShape]


class AlertsAnswer(msgspec.Struct):
    """/api/v1/alerts."""

    data: AlertsData
