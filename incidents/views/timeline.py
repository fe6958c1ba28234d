"""What happened, in order; people's notes; and all of it as Markdown."""

from __future__ import annotations

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock
from incidents import markdown_export, services
from incidents.forms.lifecycle import NoteForm
from incidents.queries import incidents as queries
from incidents.queries.named import incident_called
from incidents.types import TimelineKind
from incidents.views.shared import done
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission


@require_GET
def incident_timeline(request: StaffRequest, ref: str) -> HttpResponse:
    """`?customer=1`: only what may be told to customers; `?kind=` one kind alone."""
    found = incident_called(ref)
    only_customer, kind = request.GET.get("customer") == "1", request.GET.get("kind", "")
    entries = queries.timeline_of(found.id, only_customer=only_customer)
    kinds = sorted({entry.kind for entry in entries})
    if kind in TimelineKind.values:
        entries = [entry for entry in entries if entry.kind == kind]
    context = {
        "incident": found,
        "entries": entries,
        "kinds": [(each, TimelineKind(each).label) for each in kinds],
        "kind": kind,
        "only_customer": only_customer,
        "is_cut": len(entries) >= queries.TIMELINE_MOST,
        "form": NoteForm(),
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }
    return TemplateResponse(request, "incidents/timeline.html", context)


@require_POST
def incident_notes(request: StaffRequest, ref: str) -> HttpResponse:
    found, form = incident_called(ref), NoteForm(request.POST)
    if not form.is_valid():
        context = {
            "incident": found, "entries": queries.timeline_of(found.id), "kinds": [], "form": form, "may_respond": True,
        }  # fmt: skip
        return TemplateResponse(request, "incidents/timeline.html", context, status=422)
    said = form.cleaned_data
    return done(
        request,
        found.ref,
        lambda: services.add_note(
            tenant=HOUSE_ID,
            incident_id=found.id,
            text=said["text"],
            link=said["link"],
            occurred_at=said["occurred_at"],
            is_internal=not said["for_customers"],
            by=request.staff.actor,
            at=clock.now(),
        ),
        "Noted.",
        back="incident-timeline",
    )


@require_GET
def incident_timeline_export(request: StaffRequest, ref: str) -> HttpResponse:
    """As Markdown, for tools that people write postmortems in."""
    found = incident_called(ref)
    text = markdown_export.timeline(
        found, queries.timeline_of(found.id, only_customer=request.GET.get("customer") == "1")
    )
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.ref}-timeline.md"'
    return response
