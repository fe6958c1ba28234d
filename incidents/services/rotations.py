"""Rotations: who takes turns, when turns change, and to whom it escalates."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

from agentops.common import scope
from agentops.common.errors import NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents import inputs
from incidents.errors import invalid
from incidents.models import Rotation, RotationMember
from tenants import queries as tenants
from tenants.roles import StaffRole

MEMBERS_MOST = 50
ESCALATE_SECONDS = (60, 86_400)
DAYS = (date(2000, 1, 1), date(2999, 12, 31))


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationTerms:
    """What a person sets. `members` are user ids in the order of their turns."""

    name: str
    role: StaffRole
    time_zone: str
    starts_on: date
    turn_days: int
    handover_at: time
    members: Sequence[int]
    escalates_to: uuid.UUID | None = None
    escalate_after_seconds: int = 300
    is_on: bool = True


def set_rotation(
    *, tenant: uuid.UUID, terms: RotationTerms, by: Actor, at: datetime, rotation: uuid.UUID | None = None
) -> Rotation:
    """Make a rotation, or change one. Members hold its role. Raises InvalidInput, NotFound."""
    scope.require_tenant(tenant)
    rows = {one.id: one for one in Rotation.objects.filter(tenant_id=tenant).select_for_update().order_by("id")}
    if rotation is not None and rotation not in rows:
        raise NotFound("There is no such rotation.")
    found = rows[rotation] if rotation else Rotation(tenant_id=tenant)
    _check(terms, found, rows)
    found.name, found.role = terms.name.strip(), StaffRole(terms.role)
    found.time_zone, found.starts_on, found.turn_days = terms.time_zone, terms.starts_on, terms.turn_days
    found.handover_at = terms.handover_at.replace(tzinfo=None)
    found.escalates_to_id, found.escalate_after_seconds = terms.escalates_to, terms.escalate_after_seconds
    found.is_on, found.set_at, found.set_by = terms.is_on, at, by.label[:200]
    found.save()
    RotationMember.objects.filter(tenant_id=tenant, rotation=found).delete()
    RotationMember.objects.bulk_create(
        RotationMember(tenant_id=tenant, rotation=found, user_id=user, position=position)
        for position, user in enumerate(terms.members)
    )
    audit.record(
        tenant=tenant,
        action="rotation.set",
        actor=by,
        target=Target(type="rotation", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data={
            "rotation": found.name,
            "role": found.role,
            "members": [f"staff:{user}" for user in terms.members],
            "turns": f"{found.turn_days} d from {found.starts_on} {found.handover_at} {found.time_zone}"
            + ("" if found.is_on else ", off"),
        },
        at=at,
    )
    return found


def _check(terms: RotationTerms, found: Rotation, rows: dict[uuid.UUID, Rotation]) -> None:
    name = inputs.text("/name", terms.name, most=80)
    if any(one.name.casefold() == name.casefold() and one.id != found.id for one in rows.values()):
        raise invalid("/name", "is not the name of another rotation", "taken")
    if terms.role not in StaffRole.values:
        raise invalid("/role", f"is one of {', '.join(StaffRole.values)}", "choice")
    if terms.time_zone not in available_timezones():
        raise invalid("/time_zone", "is a name of the IANA time zone database, such as Europe/Berlin", "choice")
    if not DAYS[0] <= terms.starts_on <= DAYS[1]:
        raise invalid("/starts_on", f"is a day from {DAYS[0]} to {DAYS[1]}", "range")
    if not 1 <= terms.turn_days <= 60:
        raise invalid("/turn_days", "is a whole number of days from 1 to 60", "range")
    least, most = ESCALATE_SECONDS
    if not least <= terms.escalate_after_seconds <= most:
        raise invalid("/escalate_after_seconds", f"is a whole number of seconds from {least} to {most}", "range")
    _check_members(terms)
    _check_escalation(terms, found, rows)
    ZoneInfo(terms.time_zone)


def _check_members(terms: RotationTerms) -> None:
    if not 1 <= len(terms.members) <= MEMBERS_MOST or len(set(terms.members)) != len(terms.members):
        raise invalid("/members", f"are 1 to {MEMBERS_MOST} people, each once", "range")
    holders = {user.pk for user in tenants.staff_by_role().get(StaffRole(terms.role), [])}
    if not holders.issuperset(terms.members):
        label = StaffRole(terms.role).label.lower()
        raise invalid("/members", f"are people who are active and hold the staff role “{label}”", "choice")


def _check_escalation(terms: RotationTerms, found: Rotation, rows: dict[uuid.UUID, Rotation]) -> None:
    """Upwards without a circle."""
    above, seen = terms.escalates_to, {found.id}
    while above is not None:
        if above not in rows or above in seen:
            raise invalid("/escalates_to", "is another rotation that does not lead back to this one", "choice")
        seen.add(above)
        above = rows[above].escalates_to_id
