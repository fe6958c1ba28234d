"""Blast radius: who and what may be hit, argued by people."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.ids import span_hex
from agentops.common.pages import question, show_refusal
from agentops.common.scope import staff_scope
from incidents.forms.evidence import ArgueForm, ItemForm, ScanForm
from incidents.models import BlastItem
from incidents.queries import blast as queries
from incidents.queries import touched
from incidents.queries.evidence import Window, window_of
from incidents.queries.named import incident_called
from incidents.services import blast as services
from incidents.types import BlastKind, BlastState
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import Permission

if TYPE_CHECKING:
    from tenants.models import Tenant

ROWS = 100


@require_GET
def blast(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    asked = _asked(request.GET)
    after_id = _uuid(request.GET.get("after", ""))
    after = queries.place(incident, item=after_id) if after_id else None
    rows, has_more = queries.items(incident, **asked, after=after, most=ROWS)
    scans, standing = queries.scans(incident), queries.standing(incident)
    names = tenants.tenants_by_id({*(row.about_tenant for row in rows), *(scan.about_tenant for scan in scans)})
    query = _query(asked)
    here = reverse("incident-blast", kwargs={"ref": incident.ref})
    context = {
        "incident": incident,
        "scans": [
            (scan, names[scan.about_tenant].name if scan.about_tenant in names else scan.about_tenant.hex)
            for scan in scans
        ],
        "is_looking": any(scan.ended_at is None for scan in scans),
        "standing": standing,
        "is_argued": not any(one.suspected for one in standing),
        "asked": asked,
        "query": query,
        "kinds": BlastKind.choices,
        "states": BlastState.choices,
        "rows": [_row(row, names) for row in rows],
        "form": ArgueForm(),
        "here": here,
        "first_url": f"{here}?{query}" if after else "",
        "older_url": f"{here}?{query}&after={rows[-1].id}" if has_more else "",
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }
    return TemplateResponse(request, "incidents/blast.html", context)


@require_http_methods(["GET", "POST"])
def scan(request: StaffRequest, ref: str) -> HttpResponse:
    """GET asks what to look for; POST plans it. Which organisations there are is read in staff's scope before."""
    with house_scope():
        incident = incident_called(ref)
        window = window_of(incident, at=clock.now())
    form = ScanForm(request.POST or None, initial=_initial(window))
    here = reverse("incident-blast", kwargs={"ref": incident.ref})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        criteria = services.Criteria(
            agent=said["agent"], version=said["version"], tool=said["tool"], since=said["since"], until=said["until"]
        )
        about = window.tenants
        if said["everywhere"] and said["agent"]:
            with staff_scope():
                about = touched.organisations_with(
                    agent=said["agent"], version=said["version"], since=said["since"], until=said["until"]
                )
        try:
            with house_scope() as house:
                planned = services.plan_scans(
                    tenant=house, incident_id=incident.id, criteria=criteria, about=about, by=request.staff.actor,
                    at=clock.now(),
                )  # fmt: skip
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"Looking in {len(planned)} organisations. This page shows how far it is.")
            return HttpResponseRedirect(here)
    context: dict[str, Any] = {"form": form, "action": request.path, "submit": "Look"}
    with house_scope():
        return question(
            request,
            "incidents/_evidence_question.html",
            context,
            title="What else was touched?",
            back=(here, "Blast radius"),
            status=422 if form.is_bound else 200,
        ).render()


@require_POST
def argue(request: StaffRequest, ref: str) -> HttpResponse:
    """Confirm or rule out, with a reason: those that are ticked, or all that the filter shows."""
    incident = incident_called(ref)
    form, asked = ArgueForm(request.POST), _asked(request.POST)
    here = reverse("incident-blast", kwargs={"ref": incident.ref})
    if not form.is_valid():
        messages.error(request, "Say what they are, and why.")
        return HttpResponseRedirect(f"{here}?{_query(asked)}")
    if form.cleaned_data["every"]:
        chosen = queries.item_ids(incident, **asked, most=services.MOST_DECIDED)
    else:
        chosen = [item for text in request.POST.getlist("item")[: ROWS * 2] if (item := _uuid(text)) is not None]
    try:
        count = services.argue(
            tenant=HOUSE_ID,
            incident_id=incident.id,
            items=chosen,
            state=BlastState(form.cleaned_data["state"]),
            reason=form.cleaned_data["reason"],
            by=request.staff.actor,
            at=clock.now(),
        )
    except DomainError as refusal:
        messages.error(request, " ".join([refusal.detail, *(problem.detail for problem in refusal.problems)]))
    else:
        words = BlastState(form.cleaned_data["state"]).label.lower()
        messages.success(request, f"{count} item{' is' if count == 1 else 's are'} {words} now.")
    return HttpResponseRedirect(f"{here}?{_query(asked)}")


@require_http_methods(["GET", "POST"])
def item(request: StaffRequest, ref: str) -> HttpResponse:
    """GET asks who or what else is hit; POST adds it."""
    incident = incident_called(ref)
    window = window_of(incident, at=clock.now())
    known = tenants.tenants_by_id(window.tenants)
    form = ItemForm(request.POST or None, organisations=[(each, known[each].name) for each in known])
    here = reverse("incident-blast", kwargs={"ref": incident.ref})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            services.add_item(
                tenant=HOUSE_ID,
                incident_id=incident.id,
                about=uuid.UUID(said["about"]),
                kind=BlastKind(said["kind"]),
                identity=said["identity"],
                reason=said["reason"],
                by=request.staff.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Added. Somebody confirms it or rules it out.")
            return HttpResponseRedirect(here)
    context: dict[str, Any] = {"form": form, "action": request.path, "submit": "Add"}
    return question(
        request,
        "incidents/_evidence_question.html",
        context,
        title="Who or what else is hit?",
        back=(here, "Blast radius"),
        status=422 if form.is_bound else 200,
    )


def _row(row: BlastItem, names: dict[uuid.UUID, Tenant]) -> dict[str, Any]:
    tenant = names.get(row.about_tenant)
    identity = tenant.name if row.kind == BlastKind.TENANT and tenant else row.identity
    run_url = ""
    if tenant is not None and row.run_id is not None:
        run_url = reverse("staff-tenant-run", kwargs={"slug": tenant.slug, "run_id": row.run_id.hex})
        if row.span_id is not None and row.span_id > 0:
            run_url += f"?span={span_hex(row.span_id)}"
    return {"item": row, "identity": identity, "organisation": tenant.name if tenant else "", "run_url": run_url}


def _asked(params: QueryDict) -> dict[str, Any]:
    kind, state = params.get("kind", ""), params.get("in", "")
    return {
        "kind": kind if kind in BlastKind.values else "",
        "state": state if state in BlastState.values else "",
        "about": _uuid(params.get("organisation", "")),
    }


def _query(asked: dict[str, Any]) -> str:
    params = QueryDict(mutable=True)
    named = {"kind": asked["kind"], "in": asked["state"], "organisation": asked["about"].hex if asked["about"] else ""}
    params.update({name: value for name, value in named.items() if value})
    return params.urlencode()


def _initial(window: Window) -> dict[str, Any]:
    def minute(at: datetime) -> datetime:
        return at.astimezone(UTC).replace(second=0, microsecond=0, tzinfo=None)

    return {
        "agent": window.agent,
        "version": window.version,
        "tool": window.tool,
        "since": minute(window.since),
        "until": minute(window.until),
    }


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None
