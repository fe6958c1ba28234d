"""Who was told what, and who waits to hear more. House rows: in the house's scope, or staff's."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agentops.common.errors import NotFound
from incidents.models import CustomerComm, Incident
from incidents.policies import comms as policies
from incidents.types import CommAudience, IncidentStatus
from tenants import queries as tenants
from tenants.house import HOUSE_ID

if TYPE_CHECKING:
    from tenants.models import Tenant, User

_OVER = (IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)
_DUE_MOST = 500


@dataclass(frozen=True, slots=True)
class Organisation:
    """One customer that was hit: whether its people know, since when, and by when they hear more."""

    tenant: Tenant
    manager: User | None
    comms: list[CustomerComm]
    told_at: datetime | None
    was_first: bool | None  # None: nobody was told, or it is not known yet
    due: UpdateDue | None


@dataclass(frozen=True, slots=True)
class UpdateDue:
    """More was promised by then, with the last text that went out."""

    incident: Incident
    about_tenant: uuid.UUID | None
    audience: str
    last: CustomerComm
    due_at: datetime
    is_overdue: bool


def comms_of(incident_id: uuid.UUID) -> list[CustomerComm]:
    """All texts of an incident, the latest first."""
    rows = CustomerComm.objects.filter(tenant_id=HOUSE_ID, incident_id=incident_id)
    return list(rows.order_by("-drafted_at", "-id"))


def comm_of(*, incident_id: uuid.UUID, comm_id: uuid.UUID) -> CustomerComm:
    """Raises NotFound."""
    rows = CustomerComm.objects.filter(tenant_id=HOUSE_ID, incident_id=incident_id, id=comm_id)
    found = rows.select_related("incident").first()
    if found is None:
        raise NotFound("There is no such text.")
    return found


def open_comms(incident_id: uuid.UUID) -> list[CustomerComm]:
    """What is neither told nor waived, and so keeps an incident from being closed."""
    rows = CustomerComm.objects.filter(tenant_id=HOUSE_ID, incident_id=incident_id)
    return list(rows.exclude(state__in=policies.OVER).order_by("drafted_at", "id"))


def organisations(incident: Incident, comms: Sequence[CustomerComm], *, at: datetime) -> list[Organisation]:
    """Every customer that the incident concerns, by name, with what it was told."""
    found = {one.id: one for one in tenants.all_tenants() if one.id in set(incident.tenants)}
    due = {one.about_tenant: one for one in _due(incident, comms, at)}
    lines = []
    for tenant in found.values():
        own = [one for one in comms if one.about_tenant == tenant.id]
        told = [one for one in own if one.state in policies.TOLD and one.audience in policies.CUSTOMERS and one.sent_at]
        first = min(told, key=lambda one: one.sent_at or at, default=None)
        lines.append(
            Organisation(
                tenant=tenant,
                manager=tenant.success_manager,
                comms=own,
                told_at=first.sent_at if first else None,
                was_first=first.before_they_noticed if first else None,
                due=due.get(tenant.id),
            )
        )
    return lines


def _due(incident: Incident, comms: Sequence[CustomerComm], at: datetime) -> list[UpdateDue]:
    if incident.status in _OVER:
        return []
    newest: dict[tuple[uuid.UUID | None, str], CustomerComm] = {}
    told = [one for one in comms if one.state in policies.TOLD and one.audience in policies.CUSTOMERS and one.sent_at]
    for one in sorted(told, key=lambda each: (each.sent_at or at, each.id)):
        newest[one.about_tenant, one.audience] = one
    return [
        UpdateDue(incident, one.about_tenant, one.audience, one, one.next_update_due_at, one.next_update_due_at < at)
        for one in newest.values()
        if one.next_update_due_at is not None
    ]


def updates_due(*, at: datetime, among: Sequence[uuid.UUID] | None = None) -> list[UpdateDue]:
    """Over all incidents that are not over (or some), the longest overdue first: the last text to each audience says by when."""
    rows = (
        CustomerComm.objects.filter(tenant_id=HOUSE_ID, state__in=policies.TOLD, audience__in=policies.CUSTOMERS)
        .exclude(incident__status__in=_OVER)
        .select_related("incident")
        .order_by("incident_id", "about_tenant", "audience", "-sent_at", "-id")
        .distinct("incident_id", "about_tenant", "audience")
    )
    if among is not None:
        rows = rows.filter(incident__in=among)
    found = [
        UpdateDue(
            one.incident, one.about_tenant, one.audience, one, one.next_update_due_at, one.next_update_due_at < at
        )
        for one in rows[:_DUE_MOST]
        if one.next_update_due_at is not None
    ]
    return sorted(found, key=lambda one: (one.due_at, one.last.id))


def overdue_incidents(*, at: datetime, among: Sequence[uuid.UUID] | None = None) -> set[uuid.UUID]:
    """Incidents of which somebody waits longer than was promised, for marks in lists."""
    return {one.incident.id for one in updates_due(at=at, among=among) if one.is_overdue}


def is_public_suggested(incident: Incident, comms: Sequence[CustomerComm]) -> bool:
    """Many are hit, and nothing was drafted for everybody."""
    has_one = any(one.audience == CommAudience.PUBLIC for one in comms)
    return policies.is_public_suggested(len(incident.tenants)) and not has_one
