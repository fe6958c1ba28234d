"""What people answer to an alert: I have it, it is over, it was worth it."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound
from audit.types import Actor
from incidents.detecting.policy import Because
from incidents.models import Alert
from incidents.services.alerts import changes
from incidents.types import OPEN_ALERT, AlertStatus, AlertVerdict, PageAction

NOTE_LENGTH = 2_000
BY_PAGE = "page"


def acknowledge_alert(*, tenant: uuid.UUID, alert_id: uuid.UUID, by: Actor, at: datetime, via: str = BY_PAGE) -> Alert:
    """Somebody has it. Said twice, the first stays; what a pager says of an alert that is over changes nothing.

    Raises NotFound, and Conflict for a person who acknowledges what is over.
    """
    scope.require_tenant(tenant)
    alert = _locked(tenant, alert_id)
    if alert.status == AlertStatus.RESOLVED and via == BY_PAGE:
        raise Conflict("This alert is over. Give it a verdict instead.")
    if alert.status != AlertStatus.OPEN:
        return alert
    alert.status = AlertStatus.ACKNOWLEDGED
    alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_via = at, by.label or by.id, via
    alert.save(update_fields=["status", "acknowledged_at", "acknowledged_by", "acknowledged_via"])
    changes.record("alert.acknowledged", alert, by=by, at=at, via=via)
    if via == BY_PAGE and alert.paged_severity is not None:
        changes.page(alert, PageAction.ACKNOWLEDGE, Because.ACKNOWLEDGED, at=at)
    return alert


def resolve_alert(*, tenant: uuid.UUID, alert_id: uuid.UUID, by: Actor, at: datetime) -> Alert:
    """End it by hand; a second time changes nothing. Seen again within half an hour, it opens again. Raises NotFound."""
    scope.require_tenant(tenant)
    alert = _locked(tenant, alert_id)
    if alert.status in OPEN_ALERT:
        changes.end(alert, by=by, at=at)
    return alert


def give_verdict(
    *, tenant: uuid.UUID, alert_id: uuid.UUID, verdict: str, note: str = "", by: Actor, at: datetime
) -> Alert:
    """Was it worth it? The last word counts, each leaves its entry. Raises NotFound and InvalidInput."""
    scope.require_tenant(tenant)
    if verdict not in AlertVerdict.values:
        accepted = f"is one of {', '.join(AlertVerdict.values)}"
        raise InvalidInput(f"A verdict {accepted}.", problems=(InputProblem("/verdict", "invalid", accepted),))
    if not isinstance(note, str) or "\x00" in note or len(note) > NOTE_LENGTH:
        accepted = f"is text of at most {NOTE_LENGTH} characters, without NUL"
        raise InvalidInput(f"A note {accepted}.", problems=(InputProblem("/note", "invalid", accepted),))
    alert = _locked(tenant, alert_id)
    if alert.verdict == verdict and alert.verdict_note == note:
        return alert
    alert.verdict, alert.verdict_note = verdict, note
    alert.verdict_at, alert.verdict_by = at, by.label or by.id
    alert.save(update_fields=["verdict", "verdict_note", "verdict_at", "verdict_by"])
    changes.record("alert.judged", alert, by=by, at=at, verdict=AlertVerdict(verdict).label.lower())
    return alert


def _locked(tenant: uuid.UUID, alert_id: uuid.UUID) -> Alert:
    alert = Alert.objects.select_for_update().filter(tenant_id=tenant, id=alert_id).first()
    if alert is None:
        raise NotFound("There is no such alert.")
    return alert
