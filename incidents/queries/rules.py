"""What people decided instead of the detectors' defaults."""

from __future__ import annotations

import uuid

from incidents.detecting.rulebook import Rule, RuleBook
from incidents.models import AlertRule
from incidents.types import AlertClass, Severity
from tenants.house import HOUSE_ID


def rule_book() -> RuleBook:
    """All rules, as detectors take them."""
    return RuleBook(
        Rule(
            alert_class=AlertClass(row.alert_class),
            about_tenant=row.about_tenant,
            agent=row.agent,
            is_on=row.is_on,
            severity=Severity(row.severity) if row.severity is not None else None,
            params=row.params,
            cooldown_seconds=row.cooldown_seconds,
        )
        for row in AlertRule.objects.filter(tenant_id=HOUSE_ID)
    )


def rules(*, alert_class: str = "") -> list[AlertRule]:
    """By class, the wider ones first."""
    rows = AlertRule.objects.filter(tenant_id=HOUSE_ID)
    if alert_class:
        rows = rows.filter(alert_class=alert_class)
    return sorted(
        rows, key=lambda row: (row.alert_class, row.about_tenant is not None, str(row.about_tenant), row.agent)
    )


def rule_of(rule_id: uuid.UUID) -> AlertRule | None:
    return AlertRule.objects.filter(tenant_id=HOUSE_ID, id=rule_id).first()
