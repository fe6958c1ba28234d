"""The operations dashboard: what was measured last, as a page, on a wall, on a phone, and every ten seconds anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.pages import is_fragment
from incidents import snapshots
from incidents.policies.figures import Figure, figures
from incidents.queries.needs import Need
from tenants.access import StaffAccess, StaffRequest


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure with its address, where this person may go there."""

    figure: Figure
    url: str


@dataclass(frozen=True, slots=True)
class ShownNeed:
    need: Need
    url: str
    is_mine: bool


@require_GET
def operations(request: StaffRequest) -> HttpResponse:
    """Reads one row, whatever it shows and however many look."""
    at, is_wall = clock.now(), request.GET.get("wall") == "1"
    context: dict[str, Any] = {"is_wall": is_wall, "every": snapshots.EVERY_SECONDS, "at": at}
    snapshot = snapshots.latest()
    if snapshot is not None:
        found = figures(
            now=snapshot.now, week_ago=snapshot.week_ago, present=snapshot.present, needs=snapshot.needs, at=snapshot.at
        )
        context |= {
            "snapshot": snapshot,
            "is_stale": snapshot.is_stale(at),
            "figures": [Shown(each, _address(request.staff, each.page, query=each.query)) for each in found],
            **_needs(request.staff, snapshot.needs.needs),
        }
    page = "incidents/dashboard_wall.html" if is_wall else "incidents/dashboard.html"
    template = "incidents/_dashboard.html" if is_fragment(request) else page
    response = TemplateResponse(request, template, context)
    response["Cache-Control"] = "no-store"  # a page from the back button would show old figures as if they were new
    patch_vary_headers(response, ["HX-Request"])
    return response


def _needs(staff: StaffAccess, found: list[Need]) -> dict[str, Any]:
    """What waits for this person or for anybody; what is somebody else's is only counted."""
    shown = [
        ShownNeed(each, _address(staff, each.page, *each.place), staff.user.pk in each.people)
        for each in found
        if not each.people or staff.user.pk in each.people
    ]
    return {
        "needs": [each for each in shown if not each.need.is_taken],
        "taken": [each for each in shown if each.need.is_taken],
        "of_others": len(found) - len(shown),
    }


def _address(staff: StaffAccess, page: str, *place: str, query: str = "") -> str:
    """Where a figure or a need is looked at; nothing where this person may not go, or there is no such page."""
    if not page:
        return ""
    try:
        url = reverse(page, args=place)
    except NoReverseMatch:
        return ""
    door = getattr(resolve(url).func, "door", None)
    if door is not None and door.needs and not staff.may(door.needs):
        return ""
    return f"{url}?{query}" if query else url
