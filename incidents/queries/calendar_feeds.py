"""When somebody is on call, as an iCalendar (RFC 5545) feed."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from agentops.common.errors import NotFound
from incidents.models import CalendarFeed
from incidents.queries.rotas import rotas
from tenants.house import HOUSE_ID

BEFORE, AHEAD = timedelta(weeks=4), timedelta(weeks=12)
_LONGEST_TURN = timedelta(days=61)


@dataclass(frozen=True, slots=True)
class Feed:
    id: uuid.UUID
    body: bytes


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def feeds_of(user: int) -> list[CalendarFeed]:
    """A person's addresses that work, the newest first."""
    return list(CalendarFeed.objects.filter(tenant_id=HOUSE_ID, user_id=user, revoked_at=None).order_by("-id"))


def feed_called(token: str, *, at: datetime) -> Feed:
    """What a calendar program gets. Raises NotFound, also for what was revoked or is of somebody who left."""
    rows = CalendarFeed.objects.filter(tenant_id=HOUSE_ID, revoked_at=None, user__is_active=True)
    found = rows.filter(token_digest=digest_of(token)).first()
    if found is None:
        raise NotFound("There is no such calendar.")
    return Feed(found.id, calendar_of(found.user_id, at=at))


def calendar_of(user: int, *, at: datetime) -> bytes:
    """One event for each turn or override. Its UID stays the same from one reading to the next."""
    calendar = Calendar()
    calendar.add("prodid", "-//agentops//on-call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "On call")
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    for rota in rotas(at=at, only_on=True):
        # From more than the longest turn before, so that no event begins at the edge: its UID would change every day.
        since, until = day - BEFORE - _LONGEST_TURN, day + AHEAD + _LONGEST_TURN
        for shift in rota.shifts(since, until, is_by_turn=True):
            if shift.user != user or shift.ends_at <= day - BEFORE or shift.starts_at >= day + AHEAD:
                continue
            event = Event()
            event.add("uid", f"{rota.rotation.id.hex}-{shift.starts_at:%Y%m%dT%H%M%SZ}@agentops")
            event.add("summary", f"On call: {rota.rotation.name}" + (" (taking over)" if shift.is_cover else ""))
            event.add("dtstart", shift.starts_at)
            event.add("dtend", shift.ends_at)
            event.add("dtstamp", at.replace(microsecond=0))
            calendar.add_component(event)
    body: bytes = calendar.to_ical()
    return body
