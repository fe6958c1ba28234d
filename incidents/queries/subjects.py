"""What a page is about: an alert, an incident or a test, put into what pagers are told. In the house's scope."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from django.conf import settings

from agentops.common import clock
from incidents.models import Alert, Incident, PagingTarget
from incidents.policies.pages import Subject
from incidents.types import AlertClass, AlertStatus, IncidentStatus, ScopeType
from tenants import queries as tenants
from tenants.house import HOUSE_ID

if TYPE_CHECKING:
    from tenants.models import Tenant

_OVER = (IncidentStatus.RESOLVED, IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)
_NAMED_MOST = 5


def subject_of(kind: str, subject_id: uuid.UUID) -> Subject | None:
    """None for what is not there (any more)."""
    match kind:
        case "alert":
            alert = Alert.objects.filter(tenant_id=HOUSE_ID, id=subject_id).first()
            return _of_alert(alert) if alert else None
        case "incident":
            incident = Incident.objects.filter(tenant_id=HOUSE_ID, id=subject_id).first()
            return _of_incident(incident) if incident else None
        case "test":
            target = PagingTarget.objects.filter(tenant_id=HOUSE_ID, id=subject_id).first()
            return _of_test(target) if target else None
    return None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open alert or incident that nobody has acknowledged."""

    kind: str
    id: uuid.UUID
    state_number: int
    since: datetime
    is_drill: bool = False


def waiting_subjects(*, worst_but: int) -> list[Waiting]:
    """Those of this severity or worse, the oldest first."""
    # What came back within its cooldown was not told to anybody anew, and is not escalated either.
    alerts = Alert.objects.filter(
        tenant_id=HOUSE_ID, status=AlertStatus.OPEN, severity__lte=worst_but, paged_severity__isnull=False
    )
    incidents = Incident.objects.filter(
        tenant_id=HOUSE_ID, acknowledged_at=None, severity__lte=worst_but, resolved_at=None
    ).exclude(status__in=_OVER)
    drills = tenants.drill_tenant_ids()
    found = [
        *(
            Waiting(
                "alert", alert, number, opened_at, is_drill=_is_drill([about, *others] if about else others, drills)
            )
            for alert, number, opened_at, about, others in alerts.values_list(
                "id", "state_number", "opened_at", "about_tenant", "tenants"
            )
        ),
        *(Waiting("incident", *row) for row in incidents.values_list("id", "status_number", "declared_at", "is_drill")),
    ]
    return sorted(found, key=lambda each: (each.since, each.id))


def _is_drill(named: Sequence[uuid.UUID], drills: Collection[uuid.UUID]) -> bool:
    """An alert is one where every organisation in it is played."""
    return bool(named) and all(each in drills for each in named)


def _of_alert(alert: Alert) -> Subject:
    named = tenants.tenants_by_id([alert.about_tenant, *alert.tenants] if alert.about_tenant else alert.tenants)
    about = named.get(alert.about_tenant) if alert.about_tenant else None
    details = {
        "seen": f"{alert.value:g} {alert.unit}".strip(),
        "threshold": f"{alert.threshold:g} {alert.unit}".strip(),
        "times seen": str(alert.repeats),
    }
    if alert.agent_version:
        details["agent version"] = alert.agent_version
    if alert.model_route:
        details["model"] = alert.model_route
    if named:
        details["organisations"] = _names(list(named.values()))
    url = f"{settings.PUBLIC_URL}/staff/alerts/{alert.id}/"
    # Of a user only that it is about one: ids of users are personal, and a pager is outside the house.
    scope_id = alert.scope_id if alert.scope_type not in (ScopeType.USER, ScopeType.TENANT) else ""
    return Subject(
        kind="alert",
        id=alert.id,
        state_number=alert.state_number,
        severity=alert.severity,
        summary=alert.summary,
        source=f"agent:{alert.agent}" if alert.agent else scope_id or AlertClass(alert.alert_class).label,
        component=f"tool:{alert.tool}" if alert.tool else "",
        group=f"tenant:{about.slug}" if about else "",
        alert_class=alert.alert_class,
        url=url,
        links=[
            {"href": url, "text": "The alert"},
            *_step_links(alert.sample_runs, named),
            _kill_link(about, alert.agent),
            {"href": f"{settings.PUBLIC_URL}/staff/runbooks/{alert.alert_class}/", "text": "Runbook"},
        ],
        details=details,
        is_drill=_is_drill([*named], {each.id for each in named.values() if each.is_drill}),
    )


def _of_incident(incident: Incident) -> Subject:
    named = tenants.tenants_by_id(incident.tenants)
    only = next(iter(named.values())) if len(named) == 1 else None
    url = f"{settings.PUBLIC_URL}/staff/incidents/{incident.ref}/"
    details = {"incident": incident.ref, "status": IncidentStatus(incident.status).label}
    if named:
        details["organisations"] = _names(list(named.values()))
    drill = "Drill. " if incident.is_drill else ""
    return Subject(
        kind="incident",
        id=incident.id,
        state_number=incident.status_number,
        severity=incident.severity,
        summary=f"{drill}{incident.ref}: {incident.title}",
        source=f"agent:{incident.agent}" if incident.agent else incident.ref,
        component=f"tool:{incident.tool}" if incident.tool else "",
        group=f"tenant:{only.slug}" if only else "",
        url=url,
        links=[
            {"href": url, "text": "The incident"},
            *_step_links(incident.runs, named),
            _kill_link(only, incident.agent),
            {"href": f"{url}runbook/", "text": "Checklist"},
        ],
        details=details,
        is_drill=incident.is_drill,
    )


def _of_test(target: PagingTarget) -> Subject:
    url = f"{settings.PUBLIC_URL}/staff/alerts/targets/{target.id}/"
    return Subject(
        kind="test",
        id=target.id,
        state_number=0,
        severity=3,
        summary=f"agentops reaches {target.name}. Nothing is wrong; acknowledge it and it is over.",
        source="agentops",
        url=url,
        links=[{"href": url, "text": "The target and its deliveries"}],
        details={"asked for": clock.rfc3339(target.tested_at) if target.tested_at else ""},
    )


def _step_links(runs: Sequence[Mapping[str, Any]], named: Mapping[uuid.UUID, Tenant]) -> list[dict[str, str]]:
    """To the worst of the sampled runs, at the step that was bad."""
    known = [each for each in runs if _tenant_id(each) in named and each.get("run")]
    if not known:
        return []
    worst = max(known, key=lambda each: float(each.get("value") or 0))
    slug, run = named[_tenant_id(worst)].slug, quote(str(worst["run"]).replace("-", ""), safe="")
    step = f"?{urlencode({'span': worst['step']})}" if worst.get("step") else ""
    words = "Trace at the failing step" if step else "Trace of the worst run"
    return [{"href": f"{settings.PUBLIC_URL}/staff/t/{slug}/runs/{run}/{step}", "text": words}]


def _kill_link(about: Tenant | None, agent: str) -> dict[str, str]:
    """To the page that asks whether to stop it. Following the link stops nothing: mail scanners follow all."""
    if about is None:
        return {"href": f"{settings.PUBLIC_URL}/staff/kill-switches/new/", "text": "Kill switch (all organisations)"}
    chosen = urlencode({"scope": "agent", "id": agent} if agent else {"scope": "tenant"})
    of = f"agent {agent}" if agent else "organisation"
    return {
        "href": f"{settings.PUBLIC_URL}/staff/t/{about.slug}/kill-switches/new/?{chosen}",
        "text": f"Kill switch ({of})",
    }


def _tenant_id(run: Mapping[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(str(run.get("tenant")))
    except ValueError:
        return HOUSE_ID


def _names(found: list[Tenant]) -> str:
    names = sorted(each.name for each in found)
    more = len(names) - _NAMED_MOST
    return ", ".join(names[:_NAMED_MOST]) + (f" and {more} more" if more > 0 else "")
