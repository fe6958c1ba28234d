"""Incidents, blast items and causes as rows, for tests of what is told and learnt; people of ours who do it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from agentops.common.scope import tenant_scope
from audit.models import Entry
from incidents.models import Cause, Incident
from incidents.types import CauseKind, Severity
from tenants import services as tenants
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.world import MADE_AT, OPERATOR, PASSWORD, Person, World

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
R = TypeVar("R")


def staff(email: str, *roles: str) -> Person:
    made = tenants.create_staff(
        email=email, name=email.split("@")[0].title(), roles=roles, password=PASSWORD, by=OPERATOR, at=MADE_AT
    )
    return Person(made)


def suki() -> Person:
    return staff("suki@agentops.example", StaffRole.SUCCESS_MANAGER)


def cora() -> Person:
    return staff("cora@agentops.example", StaffRole.INCIDENT_COMMANDER)


def as_house(service: Callable[..., R], **values: Any) -> R:
    with house_scope() as tenant:
        return service(tenant=tenant, **values)


def incident(world: World, number: int = 42, **changes: Any) -> Incident:
    values: dict[str, Any] = {
        "year": 2026,
        "number": number,
        "title": "refund-desk refunded 41 orders twice",
        "severity": Severity.SEV1,
        "tenants": [world.acme.id],
        "agent": "refund-desk",
        "agent_version": "2.4",
        "tool": "stripe.refund",
        "impact_started_at": AT - timedelta(hours=2),
        "detected_at": AT - timedelta(hours=1),
        "declared_at": AT,
        "declared_by": "sam@agentops.example",
        **changes,
    }
    with house_scope() as tenant:
        return Incident.objects.create(tenant_id=tenant, **values)


def cause(of: Incident, kind: str = CauseKind.TOOL, detail: str = "not_idempotent", **changes: Any) -> Cause:
    values = {"is_root": True, "text": "A retry was a second refund", "at": AT, "by": "sam@agentops.example", **changes}
    with house_scope() as tenant:
        return Cause.objects.create(tenant_id=tenant, incident=of, kind=kind, detail_kind=detail, **values)


def again(of: Incident) -> Incident:
    with house_scope() as tenant:
        return Incident.objects.get(tenant_id=tenant, id=of.id)


def actions() -> list[str]:
    """What the house's audit log says, in order, without its beginning."""
    with tenant_scope(HOUSE_ID):
        found = Entry.objects.filter(tenant_id=HOUSE_ID).order_by("id").values_list("action", flat=True)
        return [action for action in found if action != "tenant.created"]
