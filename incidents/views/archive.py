"""What was learnt so far: the archive of postmortems, what to read first, and action items over all incidents."""

from __future__ import annotations

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.common import clock, paging
from agentops.common.pages import older_url, page_or_fragment
from incidents.queries import learning as queries
from incidents.types import ActionKind, CauseKind, PostmortemState, Severity
from tenants.access import StaffRequest

_TEXT_MOST = 200
_STATES = [
    ("open", "Open"),
    ("overdue", "Overdue"),
    ("unverified", "Done, not verified"),
    ("recurred", "Did not hold"),
    ("all", "All"),
]


@require_GET
def postmortems(request: StaffRequest) -> HttpResponse:
    """The list; for htmx its rows alone."""
    severity = _known(request.GET.get("severity", ""), [str(one) for one in Severity.values])
    wanted = queries.Wanted(
        text=request.GET.get("q", "")[:_TEXT_MOST],
        severity=int(severity) if severity else None,
        cause=_known(request.GET.get("cause", ""), CauseKind.values),
        state=_known(request.GET.get("state", ""), PostmortemState.values),
        agent=request.GET.get("agent", "")[:_TEXT_MOST],
    )
    page = queries.archive(wanted=wanted, after=paging.cursor(request.GET))
    here = reverse("staff-postmortems")
    params = request.GET.copy()
    params.pop("cursor", None)
    context = {
        "wanted": wanted,
        "here": here,
        "lines": page.lines,
        "is_filtered": wanted != queries.Wanted(),
        "severities": Severity.choices,
        "causes": CauseKind.choices,
        "states": PostmortemState.choices,
        "now": clock.now(),
        "newer_url": f"{here}?{params.urlencode()}" if request.GET.get("cursor") else "",
        "older_url": older_url(here, params.urlencode(), page.next.encode() if page.next else ""),
    }
    return page_or_fragment(request, "incidents/postmortems.html", "incidents/_postmortems.html", context)


@require_GET
def reading_list(request: StaffRequest) -> HttpResponse:
    """For somebody who is new on call."""
    return TemplateResponse(request, "incidents/reading_list.html", {"lines": queries.reading_list()})


@require_GET
def actions(request: StaffRequest) -> HttpResponse:
    """Action items; for htmx the rows alone."""
    at = clock.now()
    state = _known(request.GET.get("state", "open"), [value for value, _ in _STATES]) or "open"
    kind = _known(request.GET.get("kind", ""), ActionKind.values)
    is_mine = request.GET.get("whose", "") == "mine"
    page = queries.actions(state=state, kind=kind, owner=request.staff.user.pk if is_mine else None, at=at)
    context = {
        "page": page,
        "lines": [(one, queries.shown_state(one, at)) for one in page.actions],
        "here": reverse("staff-actions"),
        "state": state,
        "states": _STATES,
        "kind": kind,
        "kinds": ActionKind.choices,
        "owners": [("mine", "Me")],
        "whose": "mine" if is_mine else "",
        "is_filtered": bool(kind or is_mine),
    }
    return page_or_fragment(request, "incidents/actions.html", "incidents/_actions.html", context)


def _known(text: str, values: list[str]) -> str:
    return text if text in values else ""
