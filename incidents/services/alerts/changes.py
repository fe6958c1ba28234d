"""What several changes of an alert have in common: its end, its page, its entry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.detecting.policy import Because
from incidents.models import Alert
from incidents.services import paging
from incidents.types import AlertStatus, PageAction


def end(alert: Alert, *, by: Actor, at: datetime) -> None:
    """End an open alert whose row is locked, and tell the pagers that were told of it."""
    was_paged = alert.paged_severity is not None
    alert.status, alert.resolved_at, alert.resolved_by = AlertStatus.RESOLVED, at, by.label or by.id
    alert.paged_severity, alert.paged_value, alert.paged_tenants = None, None, 0
    alert.save(update_fields=["status", "resolved_at", "resolved_by", "paged_severity", "paged_value", "paged_tenants"])
    record("alert.resolved", alert, by=by, at=at)
    if was_paged:
        page(alert, PageAction.RESOLVE, Because.RESOLVED, at=at)


def page(alert: Alert, action: PageAction, because: Because, *, at: datetime) -> None:
    paging.plan_pages(
        tenant=alert.tenant_id,
        subject_kind="alert",
        subject_id=alert.id,
        state_number=alert.state_number,
        action=action,
        severity=alert.severity,
        because=because.value,
        at=at,
    )


def record(action: str, alert: Alert, *, by: Actor, at: datetime, **more: Any) -> None:
    audit.record(
        tenant=alert.tenant_id,
        action=action,
        actor=by,
        target=Target(type="alert", id=str(alert.id)),
        outcome=Outcome.SUCCESS,
        data={"severity": f"SEV-{alert.severity}", "class": alert.alert_class, "summary": alert.summary, **more},
        at=at,
    )
