"""48 to 72 hours after a fix: an alert of what is watched reopens the incident by itself; without one, a person closes it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Q

from agentops.common import scope
from audit.types import SYSTEM, Actor
from incidents.errors import AlreadyDone, Unknown, WrongState
from incidents.models import Alert, Incident, IncidentAlert, Watch
from incidents.services import joining, lifecycle
from incidents.services.keeping import locked, record, tell
from incidents.states import Who
from incidents.types import AlertVerdict, IncidentStatus, TimelineKind, WatchState

_NO_HARM = (AlertVerdict.NOISE, AlertVerdict.EXPECTED)


def look_at_watch(*, tenant: uuid.UUID, watch_id: uuid.UUID, at: datetime) -> str:
    """Look once: "breached" (the incident is active again), "over" (it waits for a person), or "" where it runs on.

    Alerts count by when they were seen, so what came while nobody looked is found by the next look. Somebody else's look
    at the same time is waited for.
    """
    scope.require_tenant(tenant)
    found = Watch.objects.filter(tenant_id=tenant, id=watch_id).values_list("incident", flat=True).first()
    if found is None:
        raise Unknown("There is no such watch.")
    incident = locked(tenant, found, may_be_over=True)
    watch = Watch.objects.select_for_update(of=("self",)).get(tenant_id=tenant, id=watch_id)
    if watch.state not in (WatchState.RUNNING, WatchState.OVER) or incident.status != IncidentStatus.WATCHING:
        return ""
    alert = _breach(watch)
    if alert is not None:
        _broken(incident, watch, alert, at)
        return "breached"
    watch.looked_at = at
    if watch.state == WatchState.RUNNING and at >= watch.ends_at:
        watch.state = WatchState.OVER
        record(incident, "incident.watch_over", {"until": watch.ends_at.isoformat()}, SYSTEM, at)
        tell(incident, TimelineKind.WATCH, "The watch is over without a breach. A person closes it.", SYSTEM, at)
    watch.save(update_fields=["looked_at", "state"])
    return "over" if watch.state == WatchState.OVER else ""


def close_watch(*, tenant: uuid.UUID, incident_id: uuid.UUID, by: Actor, at: datetime) -> Watch:
    """A person says that nothing came back, once the time is over. Raises Unknown, WrongState, AlreadyDone."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    watch = (
        Watch.objects.select_for_update(of=("self",))
        .filter(tenant_id=tenant, incident=incident)
        .order_by("-starts_at", "-id")
        .first()
    )
    if watch is None or incident.status != IncidentStatus.WATCHING:
        raise Unknown(f"{incident.ref} is not being watched.")
    if watch.state == WatchState.CLOSED:
        raise AlreadyDone(f"{watch.closed_by} closed this watch.")
    if at < watch.ends_at:
        raise WrongState(f"The watch runs until {watch.ends_at:%-d %b %Y %H:%M} UTC. It is closed after that.")
    if alert := _breach(watch):
        raise WrongState(f"There was an alert of what is watched: {alert.summary}")
    if by.user_id is None:
        raise WrongState("A watch is closed by a person.")
    watch.state, watch.closed_at, watch.closed_by, watch.looked_at = WatchState.CLOSED, at, by.label[:200], at
    watch.save()
    record(incident, "incident.watch_closed", {"until": watch.ends_at.isoformat()}, by, at)
    tell(incident, TimelineKind.WATCH, "The watch is closed: nothing came back.", by, at)
    return watch


def _breach(watch: Watch) -> Alert | None:
    """The first alert of what is watched that was seen while it was watched; those that people call noise do not count."""
    wanted = Q()
    for monitor in watch.monitors:
        wanted |= _of(monitor)
    if not watch.monitors:
        return None
    return (
        Alert.objects.filter(
            wanted, tenant_id=watch.tenant_id, last_seen_at__gt=watch.starts_at, opened_at__lte=watch.ends_at
        )
        .exclude(verdict__in=_NO_HARM)
        .order_by("severity", "opened_at", "id")
        .first()
    )


def _of(monitor: dict[str, Any]) -> Q:
    found = Q()
    if monitor.get("alert_class"):
        found &= Q(alert_class=monitor["alert_class"])
    about = monitor.get("about_tenant")
    found &= Q(about_tenant=uuid.UUID(about)) if about else Q(about_tenant__isnull=True)
    return found & Q(agent=monitor["agent"]) if monitor.get("agent") else found


def _broken(incident: Incident, watch: Watch, alert: Alert, at: datetime) -> None:
    watch.state, watch.breached_at, watch.looked_at = WatchState.BREACHED, at, at
    watch.breach = {"alert": str(alert.id), "summary": alert.summary, "at": alert.last_seen_at.isoformat()}
    watch.save()
    record(incident, "incident.watch_breached", {"alert": str(alert.id)}, SYSTEM, at)
    tell(
        incident, TimelineKind.WATCH, f"The watch is broken: {alert.summary}", SYSTEM, at,
        occurred_at=min(alert.last_seen_at, at), data={"alert": str(alert.id)}, link=f"/staff/alerts/{alert.id}/",
    )  # fmt: skip
    lifecycle.move(
        tenant=incident.tenant_id, incident_id=incident.id, to=IncidentStatus.ACTIVE,
        reason=f"an alert during the watch: {alert.summary}"[:2_000], by=SYSTEM, at=at, who=Who.WATCH,
    )  # fmt: skip
    if not IncidentAlert.objects.filter(
        Q(removed_at__isnull=True) | Q(incident=incident), tenant_id=incident.tenant_id, alert_id=alert.id
    ).exists():
        joining.join_alert(
            tenant=incident.tenant_id, incident_id=incident.id, alert_id=alert.id, rule=joining.BY_WATCH,
            reason="It broke the watch", by=SYSTEM, at=at,
        )  # fmt: skip
