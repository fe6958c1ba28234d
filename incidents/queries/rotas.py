"""Rotations with all that says whose turn it is, in a constant number of queries. In the house's scope, or in staff's."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from django.db.models import Prefetch

from agentops.common.errors import NotFound
from incidents.models import Override, Rotation, RotationMember
from incidents.policies.rotations import Cover, Shift, Turns, next_in_line, shifts, who
from tenants import queries as tenants
from tenants.house import HOUSE_ID
from tenants.roles import StaffRole

if TYPE_CHECKING:
    from tenants.models import User

_LOOKED_BACK = timedelta(days=90)  # overrides that are over: for hand-overs and the calendar's past


@dataclass(frozen=True)
class Rota:
    """One rotation, who is in it and who takes over, with the people of its role."""

    rotation: Rotation
    people: dict[int, User]  # all that its members, overrides and shifts can name
    able: frozenset[int]  # active, and holding the role now

    @cached_property
    def turns(self) -> Turns:
        one = self.rotation
        members = tuple(member.user_id for member in self.members)
        return Turns(one.time_zone, one.starts_on, one.turn_days, one.handover_at, members)

    @cached_property
    def members(self) -> list[RotationMember]:
        return list(self.rotation.members.all())

    @cached_property
    def overrides(self) -> list[Override]:
        return list(self.rotation.overrides.all())

    @cached_property
    def covers(self) -> list[Cover]:
        return [Cover(one.user_id, one.starts_at, one.ends_at, one.made_at) for one in self.overrides]

    def person(self, user: int | None) -> User | None:
        return self.people.get(user) if user is not None else None

    def on_call(self, at: datetime) -> User | None:
        return self.person(who(self.turns, self.covers, self.able, at)[0])

    def next_in_line(self, at: datetime) -> User | None:
        """Who is asked where the person on call does not answer."""
        present = self.on_call(at)
        return self.person(next_in_line(self.turns, self.able, at, besides=present.pk if present else None))

    def shifts(self, since: datetime, until: datetime, *, is_by_turn: bool = False) -> list[Shift]:
        return shifts(self.turns, self.covers, self.able, since=since, until=until, is_by_turn=is_by_turn)


def rotas(*, at: datetime, role: StaffRole | None = None, only_on: bool = False) -> list[Rota]:
    """By name. Overrides are those that are not cancelled and ended less than 90 days ago."""
    rows = Rotation.objects.filter(tenant_id=HOUSE_ID)
    if role is not None:
        rows = rows.filter(role=role)
    if only_on:
        rows = rows.filter(is_on=True)
    overrides = (
        Override.objects.filter(tenant_id=HOUSE_ID, cancelled_at=None, ends_at__gt=at - _LOOKED_BACK)
        .select_related("user")
        .order_by("starts_at", "id")
    )
    members = RotationMember.objects.filter(tenant_id=HOUSE_ID).select_related("user").order_by("position")
    found = rows.prefetch_related(Prefetch("members", members), Prefetch("overrides", overrides))
    holders = tenants.staff_by_role()
    return [_rota(rotation, holders.get(StaffRole(rotation.role), [])) for rotation in found.order_by("name", "id")]


def rota_of(rotation_id: uuid.UUID, *, at: datetime) -> Rota:
    """Raises NotFound."""
    found = next((rota for rota in rotas(at=at) if rota.rotation.id == rotation_id), None)
    if found is None:
        raise NotFound("There is no such rotation.")
    return found


def _rota(rotation: Rotation, holders: list[User]) -> Rota:
    named: list[RotationMember | Override] = [*rotation.members.all(), *rotation.overrides.all()]
    people = {one.user_id: one.user for one in named} | {user.pk: user for user in holders}
    return Rota(rotation, people, frozenset(user.pk for user in holders))
