"""Rows of alerts and incidents that other parts make, written as they write them; and people of ours."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from agentops.common import clock
from audit.models import Entry
from audit.types import Actor
from incidents.models import Alert, Incident, Snapshot
from incidents.types import SnapshotState
from tenants import services as tenant_services
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.world import OPERATOR, PASSWORD, Person


def staff(email: str, *roles: StaffRole) -> Person:
    user = tenant_services.create_staff(
        email=email, name=email.split("@")[0].title(), roles=list(roles), password=PASSWORD, by=OPERATOR, at=clock.now()
    )
    return Person(user)


def staff_actor(person: Person) -> Actor:
    return Actor(type="staff", id=f"staff:{person.user.pk}", label=person.email)


def alert(about: uuid.UUID | None = None, *, at: datetime | None = None, **values: Any) -> Alert:
    """An open alert, as `raise_alert` leaves it. Needs the house's scope."""
    at = at or clock.now()
    given = {
        "fingerprint": uuid.uuid4().hex * 2, "alert_class": "runaway", "scope_type": "agent", "scope_id": "desk",
        "about_tenant": about, "tenants": [about] if about else [], "agent": "desk", "agent_version": "1", "severity": 1,
        "summary": "desk went round in a circle", "value": 41.0, "threshold": 5.0, "peak": 41.0, "unit": "steps",
        "first_seen_at": at, "opened_at": at, "last_seen_at": at,
    }  # fmt: skip
    return Alert.objects.create(tenant_id=HOUSE_ID, **{**given, **values})


def keep_evidence(incident: Incident) -> None:
    """As the job leaves it. Needs the house's scope."""
    Snapshot.objects.filter(tenant_id=HOUSE_ID, incident=incident).update(
        state=SnapshotState.COMPLETE, completed_at=clock.now(), manifest_digest="0" * 64
    )


def house_actions() -> list[str]:
    """Names of the entries in our own log, in their order."""
    with house_scope():
        found = Entry.objects.filter(tenant_id=HOUSE_ID).order_by("recorded_at", "id")
        return [action for action in found.values_list("action", flat=True) if action != "tenant.created"]
