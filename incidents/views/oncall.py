"""On-call: who is on call now and next, the coming four weeks, and one's own calendar address."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock
from incidents.policies.rotations import Shift
from incidents.queries import calendar_feeds, handovers
from incidents.queries.oncall import chain
from incidents.queries.rotas import Rota, rotas
from incidents.services import calendar_feeds as feeds
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import Permission

WEEKS = 4


@require_GET
def on_call(request: StaffRequest) -> HttpResponse:
    at = clock.now()
    found = rotas(at=at)
    mine = frozenset(request.staff.roles)
    context = {
        "rows": [_row(rota, at) for rota in found],
        "chain": chain(at=at),
        "handovers": handovers.waiting_handovers(found, at=at),
        "feeds": calendar_feeds.feeds_of(request.user.pk),
        "is_in_one": any(rota.rotation.role in mine for rota in found),
        "may_manage": request.staff.may(Permission.STAFF_ON_CALL_MANAGE),
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }
    return TemplateResponse(request, "incidents/on_call.html", context)


def _row(rota: Rota, at: datetime) -> dict[str, Any]:
    """One rotation: now, next, and its calendar from Monday on."""
    monday = at.date() - timedelta(days=at.weekday())
    begin = datetime.combine(monday, time(0), UTC)
    shifts = rota.shifts(begin, begin + timedelta(weeks=WEEKS))
    present = next(shift for shift in shifts if shift.starts_at <= at < shift.ends_at)
    following = next((shift for shift in shifts if shift.starts_at > at and shift.user != present.user), None)
    return {
        "rota": rota,
        "now": rota.person(present.user),
        "is_cover": present.is_cover,
        "until": present.ends_at if present.ends_at < begin + timedelta(weeks=WEEKS) else None,
        "next": rota.person(following.user) if following else None,
        "next_at": following.starts_at if following else None,
        "days": [_day(rota, shifts, monday + timedelta(days=number), today=at.date()) for number in range(7 * WEEKS)],
        "covers": [one for one in rota.overrides if one.ends_at > at],
    }


def _day(rota: Rota, shifts: list[Shift], day: date, *, today: date) -> dict[str, Any]:
    begin = datetime.combine(day, time(0), UTC)
    parts = [
        {
            "who": rota.person(shift.user),
            "from": shift.starts_at if shift.starts_at > begin else None,
            "is_cover": shift.is_cover,
        }
        for shift in shifts
        if shift.starts_at < begin + timedelta(days=1) and shift.ends_at > begin
    ]
    changes = len(parts) > 1 or any(part["from"] for part in parts)
    return {"day": day, "parts": parts, "is_today": day == today, "is_quiet": not changes and day != today}


@require_POST
def feed_make(request: StaffRequest) -> HttpResponse:
    """The address is shown once, in this answer, and kept as a digest."""
    token = feeds.make_feed(tenant=HOUSE_ID, user=request.user.pk, by=request.staff.actor, at=clock.now())
    address = request.build_absolute_uri(reverse("calendar-feed", args=[token]))
    response = TemplateResponse(request, "incidents/feed_made.html", {"address": address})
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def feed_revoke(request: StaffRequest, feed: uuid.UUID) -> HttpResponse:
    feeds.revoke_feed(tenant=HOUSE_ID, feed=feed, user=request.user.pk, by=request.staff.actor, at=clock.now())
    messages.success(request, "The address shows nothing any more.")
    return redirect(reverse("staff-on-call") + "#calendar")


@require_GET
def calendar_feed(request: HttpRequest, feed_token: str) -> HttpResponse:
    """For calendar programs, which cannot sign in: the address itself is the secret."""
    at = clock.now()
    with house_scope() as tenant:
        found = calendar_feeds.feed_called(feed_token, at=at)
        feeds.note_feed_read(tenant=tenant, feed=found.id, at=at)
    response = HttpResponse(found.body, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="on-call.ics"'
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
