"""What a text to one customer is filled with, and to whom it would go. Reads customers' people: in staff's scope."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Count, Q

from incidents.drafting import TEMPLATES, Facts
from incidents.models import BlastItem, Fix, Incident, IncidentSwitch, Reversal, Snapshot
from incidents.policies import comms as policies
from incidents.types import (
    REVERSAL_OVER,
    BlastKind,
    BlastState,
    CommAudience,
    ReversalState,
    Severity,
    SnapshotState,
)
from tenants import queries as tenants
from tenants.house import HOUSE_ID
from tenants.roles import Role

if TYPE_CHECKING:
    from tenants.models import Tenant

_USERS_MOST = 500
_STOPPED = {
    "product": "all agents of the platform",
    "tenant": "all agents of the organisation",
    "agent": "the agent {id}",
    "user": "agents that act for the user {id}",
}


def facts_for(incident: Incident, tenant: Tenant | None, *, template: str, at: datetime) -> Facts:
    """`tenant` is None for a public statement, which counts over all of them."""
    of = Q(tenant_id=HOUSE_ID, incident_id=incident.id)
    own = of if tenant is None else of & Q(about_tenant=tenant.id)
    blast = {
        (row["kind"], row["state"]): row["count"]
        for row in BlastItem.objects.filter(own).values("kind", "state").annotate(count=Count("id")).order_by()
    }
    undone, undoing = _reversals(incident, tenant)
    return Facts(
        organisation=tenant.name if tenant else "",
        ref=incident.ref,
        what=incident.summary.strip() or incident.title,
        agent=incident.agent,
        severity=Severity(incident.severity).label,
        began_at=incident.impact_started_at,
        contained_at=incident.contained_at,
        resolved_at=incident.resolved_at,
        organisations=len(incident.tenants),
        records=blast.get((BlastKind.RECORD, BlastState.CONFIRMED), 0),
        users=blast.get((BlastKind.USER, BlastState.CONFIRMED), 0),
        suspected=sum(count for (_, state), count in blast.items() if state == BlastState.SUSPECTED),
        undone=undone,
        undoing=undoing,
        did=_did(incident, tenant, undone),
        next_update_at=policies.next_update_at(severity=incident.severity, is_last=TEMPLATES[template].is_last, at=at),
        runs_link=f"{settings.PUBLIC_URL}/t/{tenant.slug}/runs/" if tenant else "",
        incident_link=f"{settings.PUBLIC_URL}/staff/incidents/{incident.ref}/comms/",
    )


def recipients_for(incident: Incident, tenant: Tenant | None, audience: str) -> list[str]:
    """Mail addresses as far as we know them: a person completes the list."""
    if tenant is None:
        return []
    if audience == CommAudience.SUCCESS_MANAGER:
        manager = tenants.success_manager_of(tenant.id)
        return [manager.email] if manager else []
    if audience == CommAudience.ADMINS:
        people = [one for role in (Role.OWNER, Role.ADMIN) for one in tenants.members(tenant.id, role=role)]
        return [one.user.email for one in people if one.user.is_active]
    return _users_hit(incident, tenant.id)


def _users_hit(incident: Incident, tenant: uuid.UUID) -> list[str]:
    """Those who are confirmed, as far as their name is an address or they have an account."""
    rows = BlastItem.objects.filter(
        tenant_id=HOUSE_ID,
        incident_id=incident.id,
        about_tenant=tenant,
        kind=BlastKind.USER,
        state=BlastState.CONFIRMED,
    )
    names = list(rows.order_by("identity").values_list("identity", flat=True)[:_USERS_MOST])
    accounts = tenants.addresses_named(tenant, names)
    return list(dict.fromkeys(accounts.get(name, name) for name in names if name in accounts or _is_address(name)))


def _is_address(name: str) -> bool:
    try:
        validate_email(name)
    except ValidationError:
        return False
    return True


def _reversals(incident: Incident, tenant: Tenant | None) -> tuple[int, int]:
    """Effects that are undone, and those that are to be."""
    rows = Reversal.objects.filter(tenant_id=HOUSE_ID, incident_id=incident.id)
    if tenant is not None:
        rows = rows.filter(effect__about_tenant=tenant.id)
    found = rows.aggregate(
        undone=Count("id", filter=Q(state=ReversalState.DONE)), undoing=Count("id", filter=~Q(state__in=REVERSAL_OVER))
    )
    return found["undone"], found["undoing"]


def _did(incident: Incident, tenant: Tenant | None, undone: int) -> list[str]:
    of = Q(tenant_id=HOUSE_ID, incident_id=incident.id)
    switches = IncidentSwitch.objects.filter(of)
    if tenant is not None:
        switches = switches.filter(Q(about_tenant=None) | Q(about_tenant=tenant.id))
    did = [_stopped(one, is_public=tenant is None) for one in switches.order_by("at", "id")[:10]]
    did = list(dict.fromkeys(did))
    if Snapshot.objects.filter(of, state=SnapshotState.COMPLETE).exists():
        did.append("We kept all that is needed to see what happened, so that nothing can be changed afterwards.")
    if undone:
        did.append(f"We undid {undone} effect{'' if undone == 1 else 's'} of it outside.")
    if Fix.objects.filter(of, deployed_at__isnull=False).exists():
        did.append("We put a fix in place, which is checked by the case that failed, and watch it.")
    return did


def _stopped(switch: IncidentSwitch, *, is_public: bool) -> str:
    """A public statement names no agent and no user."""
    what = "the agents concerned" if is_public else _STOPPED.get(switch.scope, "{id}").format(id=switch.scope_id)
    return f"We stopped {what} ({switch.at:%-d %B %Y, %H:%M} UTC)."
