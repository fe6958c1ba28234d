"""Who is on call, and who is asked next where they do not answer. In the house's scope, or in staff's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from incidents.queries.rotas import Rota, rotas
from tenants import queries as tenants
from tenants.roles import StaffRole

if TYPE_CHECKING:
    from tenants.models import User

UNANSWERED_SECONDS = 300  # before the next are asked where no rotation says so


def on_call_now(*, at: datetime, role: StaffRole = StaffRole.ON_CALL) -> list[User]:
    """Who holds a role's rotations at a moment, the first rotation first; nobody where no rotation is on."""
    found = (rota.on_call(at) for rota in rotas(at=at, role=role, only_on=True))
    return list({user.pk: user for user in found if user}.values())


def chain(*, at: datetime) -> list[tuple[User, int]]:
    """Whom to ask about something urgent that nobody acknowledges: each with the seconds after the first page.

    First the rotations of the on-call role, at once. After its own time each asks what it escalates to, and after that the
    next in its own line. Commanders come last. Where nobody at all is on call, everybody with the role is asked at once.
    Nobody is in it twice.
    """
    every = {rota.rotation.id: rota for rota in rotas(at=at, only_on=True)}
    staff = tenants.staff_by_role()
    asked: dict[int, tuple[User, int]] = {}
    last = 0
    for rota in every.values():
        if rota.rotation.role != StaffRole.ON_CALL:
            continue
        for user, seconds in _up(rota, every, at):
            last = max(last, seconds)
            _ask(asked, user, seconds)
    if not asked:
        for user in staff.get(StaffRole.ON_CALL, []):
            _ask(asked, user, 0)
    for user in staff.get(StaffRole.INCIDENT_COMMANDER, []):
        _ask(asked, user, last + UNANSWERED_SECONDS)
    return sorted(asked.values(), key=lambda one: one[1])


def _up(first: Rota, every: dict[uuid.UUID, Rota], at: datetime) -> Iterator[tuple[User | None, int]]:
    rota: Rota | None = first
    seen: set[uuid.UUID] = set()
    seconds = 0
    while rota is not None and rota.rotation.id not in seen:
        seen.add(rota.rotation.id)
        yield rota.on_call(at), seconds
        seconds += rota.rotation.escalate_after_seconds
        above = rota.rotation.escalates_to_id
        rota = every.get(above) if above else None
    yield first.next_in_line(at), seconds


def _ask(asked: dict[int, tuple[User, int]], user: User | None, seconds: int) -> None:
    if user is not None and (user.pk not in asked or asked[user.pk][1] > seconds):
        asked[user.pk] = (user, seconds)
