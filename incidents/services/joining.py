"""What belongs together: alerts join an incident or are pinned out of it, incidents are merged or become parts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops.common import scope
from audit.types import SYSTEM, Actor
from incidents import inputs
from incidents.errors import AlreadyDone, Unknown, WrongState, invalid
from incidents.models import Alert, Incident, IncidentAlert, SeverityChange, Watch
from incidents.policies.grouping import RULES
from incidents.services.keeping import locked, page, record, tell
from incidents.services.telling import tell_success_managers
from incidents.states import OPEN, Who, may_become
from incidents.types import IncidentStatus, PageAction, TimelineKind

BY_WATCH = "watch"


def join_alert(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    alert_id: uuid.UUID,
    reason: str = "",
    rule: str = "",
    compared: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
) -> IncidentAlert:
    """Put an alert into an incident; twice is once. One that is worse makes the incident worse, and pages again.

    Raises Unknown, AlreadyDone where it belongs to another, WrongState where people took it out of this one.
    """
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    reason = inputs.text("/reason", reason, most=2_000, is_needed=False)
    inputs.one_of("/rule", rule, ["", BY_WATCH, *RULES])
    alert = Alert.objects.select_for_update(of=("self",)).filter(tenant_id=tenant, id=alert_id).first()
    if alert is None:
        raise Unknown("There is no such alert.")
    places = IncidentAlert.objects.filter(tenant_id=tenant, alert_id=alert_id).select_related("incident")
    mine = next((place for place in places if place.incident_id == incident.id), None)
    if mine is not None and mine.removed_at is None:
        return mine
    if mine is not None:
        raise WrongState(f"{mine.removed_by} took this alert out of {incident.ref}: it is pinned out for good.")
    if other := next((place for place in places if place.removed_at is None), None):
        raise AlreadyDone(f"This alert belongs to {other.incident.ref}: {other.incident.title}")
    made = IncidentAlert.objects.create(
        tenant_id=tenant, incident=incident, alert_id=alert_id, reason=reason, rule=rule, inputs=dict(compared or {}),
        at=at, by=by.label[:200],
    )  # fmt: skip
    _take_over(incident, alert, by, at)
    record(incident, "incident.alert_joined", {"alert": str(alert_id), "rule": rule}, by, at, reason=reason)
    tell(
        incident, TimelineKind.ALERT, f"{alert.summary} ({RULES.get(rule, rule) or 'joined by hand'})", by, at,
        occurred_at=min(alert.opened_at, at), data={"alert": str(alert_id), "rule": rule}, link=f"/staff/alerts/{alert_id}/",
    )  # fmt: skip
    return made


def remove_alert(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, alert_id: uuid.UUID, reason: str, by: Actor, at: datetime
) -> None:
    """Take an alert out; it is pinned out of this incident for good. Raises Unknown, WrongState, InvalidInput."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    reason = inputs.text("/reason", reason, most=2_000)
    changed = IncidentAlert.objects.filter(
        tenant_id=tenant, incident=incident, alert_id=alert_id, removed_at__isnull=True
    ).update(removed_at=at, removed_by=by.label[:200])
    if not changed:
        raise Unknown("This alert is not in the incident.")
    record(incident, "incident.alert_removed", {"alert": str(alert_id)}, by, at, reason=reason)
    tell(incident, TimelineKind.ALERT, f"An alert was taken out: {reason}", by, at, data={"alert": str(alert_id)})


def merge(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    into: uuid.UUID,
    reason: str,
    by: Actor,
    at: datetime,
    who: Who = Who.COMMANDER,
) -> Incident:
    """It is the same as another one: its alerts go there, and what it holds counts for that one's closing. So does how bad it is.

    Raises Unknown, WrongState, InvalidInput.
    """
    scope.require_tenant(tenant)
    reason = inputs.text("/reason", reason, most=2_000)
    if incident_id == into:
        raise invalid("/into", "An incident is merged into another one.")
    # Both locked in the order of their ids, so that two merges at once wait for each other and do not hang.
    rows = {each: locked(tenant, each, may_be_over=True) for each in sorted((incident_id, into), key=str)}
    incident, target = rows[incident_id], rows[into]
    if incident.status == IncidentStatus.MERGED and incident.merged_into_id == target.id:
        return incident  # sent twice
    arrow = may_become(incident.status, IncidentStatus.MERGED, who)
    if arrow is None:
        word = IncidentStatus(incident.status).label.lower()
        raise WrongState(f"{incident.ref} is {word}: a commander merges incidents that are open.")
    if target.status not in OPEN:
        raise WrongState(f"{target.ref} is {IncidentStatus(target.status).label.lower()}: merge into one that is open.")
    _require_no_breach(target, incident)
    was = incident.status
    incident.status, incident.merged_into = IncidentStatus.MERGED, target
    incident.status_number += 1
    incident.save(update_fields=["status", "merged_into", "status_number"])
    joined = list(IncidentAlert.objects.filter(tenant_id=tenant, incident=incident, removed_at__isnull=True))
    IncidentAlert.objects.filter(tenant_id=tenant, id__in=[each.id for each in joined]).update(
        removed_at=at, removed_by=by.label[:200]
    )
    record(incident, "incident.merged", {"from": was, "into": target.ref}, by, at, reason=reason)
    tell(
        incident, TimelineKind.STATUS, f"Merged into {target.ref}: {reason}", by, at,
        data={"from": was, "to": "merged", "event": arrow.event}, link=f"/staff/incidents/{target.ref}/",
    )  # fmt: skip
    _receive(target, incident, joined, reason, by, at)
    page(incident, PageAction.RESOLVE, f"merged into {target.ref}", at)
    return incident


def set_parent(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, parent: uuid.UUID | None, by: Actor, at: datetime
) -> Incident:
    """Make it a part of a larger one (not the same as it: that is merging), or of none. Raises Unknown, InvalidInput."""
    scope.require_tenant(tenant)
    rows = {each: locked(tenant, each) for each in sorted({incident_id, parent or incident_id}, key=str)}
    incident, above = rows[incident_id], None if parent is None else rows[parent]
    if above is not None and (above.id == incident.id or above.parent_id is not None):
        raise invalid("/parent", "The larger incident is another one, and itself no part of one.")
    if above is not None and Incident.objects.filter(tenant_id=tenant, parent=incident).exists():
        raise invalid("/parent", f"{incident.ref} has parts of its own: it cannot become a part.")
    before = incident.parent
    if (before.id if before else None) == (above.id if above else None):
        return incident
    incident.parent = above
    incident.save(update_fields=["parent"])
    data = {"parent": above.ref if above else "none", "was": before.ref if before else "none"}
    record(incident, "incident.parent_set", data, by, at)
    tell(incident, TimelineKind.STATUS, f"Part of {above.ref}" if above else "Part of no other incident", by, at)
    return incident


# -- parts ------------------------------------------------------------------------------------------------------------


def _take_over(incident: Incident, alert: Alert, by: Actor, at: datetime) -> None:
    """What an alert adds: organisations, what it is about, earlier harm, a worse severity."""
    known = set(incident.tenants)
    new = dict.fromkeys(each for each in (alert.about_tenant, *alert.tenants) if each and each not in known)
    incident.tenants = [*incident.tenants, *new]
    for name in ("agent", "agent_version", "tool", "model_route"):
        if not getattr(incident, name):
            setattr(incident, name, getattr(alert, name))
    if incident.last_harm_at is None or alert.last_seen_at > incident.last_harm_at:
        incident.last_harm_at = alert.last_seen_at
    incident.save()
    _make_worse(incident, alert.severity, f"An alert that joined says SEV-{alert.severity}", by, at)


def _make_worse(incident: Incident, became: int, reason: str, by: Actor, at: datetime) -> None:
    """What joins is worse than it: so is it, and it pages again."""
    was = incident.severity
    if became >= was:
        return
    incident.severity = became
    incident.status_number += 1
    incident.save(update_fields=["severity", "status_number"])
    SeverityChange.objects.create(
        tenant_id=incident.tenant_id, incident=incident, was=was, became=became, reason=reason, at=at, by=by.label[:200]
    )
    data = {"was": str(was), "became": str(became)}
    record(incident, "incident.severity_changed", data, by, at, reason=reason)
    tell(incident, TimelineKind.SEVERITY, f"SEV-{became} instead of SEV-{was}: {reason}", SYSTEM, at)
    page(incident, PageAction.TRIGGER, f"raised to SEV-{became}", at)
    tell_success_managers(incident)


def _require_no_breach(target: Incident, incident: Incident) -> None:
    """What did harm after the fix of another one says that this fix does not hold. Raises WrongState."""
    if target.status != IncidentStatus.WATCHING:
        return
    watch = Watch.objects.filter(tenant_id=target.tenant_id, incident=target).order_by("-starts_at", "-id").first()
    harm = incident.last_harm_at or incident.impact_started_at or incident.declared_at
    if watch is not None and harm > watch.starts_at:
        raise WrongState(f"{incident.ref} did harm after {target.ref} was said to be fixed: reopen {target.ref} first.")


def _receive(
    target: Incident, incident: Incident, joined: list[IncidentAlert], reason: str, by: Actor, at: datetime
) -> None:
    for each in joined:
        place = IncidentAlert.objects.filter(
            tenant_id=target.tenant_id, incident=target, alert_id=each.alert_id
        ).first()
        if place is None:  # else people took it out of there: it stays out
            IncidentAlert.objects.create(
                tenant_id=target.tenant_id, incident=target, alert_id=each.alert_id,
                reason=f"Merged from {incident.ref}", rule=each.rule, inputs=each.inputs, at=at, by=by.label[:200],
            )  # fmt: skip
    target.tenants = list(dict.fromkeys([*target.tenants, *incident.tenants]))
    target.runs = [*target.runs, *(run for run in incident.runs if run not in target.runs)][:500]
    target.save(update_fields=["tenants", "runs"])
    tell(
        target, TimelineKind.STATUS, f"{incident.ref} is the same, and was merged into this: {reason}", by, at,
        link=f"/staff/incidents/{incident.ref}/",
    )  # fmt: skip
    _make_worse(target, incident.severity, f"{incident.ref} is SEV-{incident.severity}", by, at)
