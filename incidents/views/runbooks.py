"""Runbooks: the list, one with its versions, the next version; and the steps of an incident."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.catalog import linediff
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import show_refusal
from incidents.errors import invalid
from incidents.forms.runbooks import RunbookForm
from incidents.queries import runbooks as queries
from incidents.queries.named import incident_called
from incidents.runbooks.reading import read, steps
from incidents.services import runbooks as services
from incidents.types import AlertClass
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission


@require_GET
def runbooks(request: StaffRequest) -> HttpResponse:
    found = queries.runbooks_for(list(AlertClass))
    context = {"rows": [(one.label, book, len(steps(book.body))) for one, book in found.items()]}
    return TemplateResponse(request, "incidents/runbooks.html", context)


@require_GET
def runbook(request: StaffRequest, alert_class: str) -> HttpResponse:
    versions = queries.versions_of(queries.class_called(alert_class))
    chosen = next((one for one in versions if str(one.version) == request.GET.get("version", "")), versions[0])
    before = next((one for one in versions if one.version == chosen.version - 1), None)
    context = {
        "label": AlertClass(alert_class).label,
        "chosen": chosen,
        "parts": read(chosen.body),
        "versions": versions,
        "is_newest": chosen is versions[0],
        "lines": linediff.between_texts(before.body, chosen.body) if before else [],
        "may_manage": request.staff.may(Permission.STAFF_ON_CALL_MANAGE),
    }
    return TemplateResponse(request, "incidents/runbook.html", context)


@require_http_methods(["GET", "POST"])
def runbook_new(request: StaffRequest, alert_class: str) -> HttpResponse:
    """The next version, from the newest."""
    found = queries.class_called(alert_class)
    newest = queries.runbook_for(found)
    initial = {"title": newest.title, "body": newest.body, "seen_version": newest.version}
    form = RunbookForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.set_runbook(
                tenant=HOUSE_ID, alert_class=found, by=request.staff.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"Version {made.version} holds now.")
            return redirect("staff-runbook", alert_class=alert_class)
    context = {"form": form, "label": found.label, "newest": newest}
    return TemplateResponse(request, "incidents/runbook_new.html", context, status=422 if form.errors else 200)


@require_GET
def incident_runbook(request: StaffRequest, ref: str) -> HttpResponse:
    """The runbooks of an incident's alerts, with what was done; `?class=` adds another."""
    incident = incident_called(ref)
    asked = request.GET.get("class", "")
    found = queries.checklists(incident, also=[AlertClass(asked)] if asked in AlertClass.values else [])
    context = {
        "incident": incident,
        "checklists": found,
        "others": [(one.value, one.label) for one in AlertClass if one not in {each.alert_class for each in found}],
        "may_tick": request.staff.may(Permission.STAFF_RESPOND)
        and incident.status not in ("closed", "cancelled", "merged"),
    }
    return TemplateResponse(request, "incidents/incident_runbook.html", context)


@require_POST
def incident_runbook_ticks(request: StaffRequest, ref: str) -> HttpResponse:
    """One step done, or taken back."""
    given = request.POST
    alert_class = queries.class_called(given.get("class", ""))
    where = {
        "tenant": HOUSE_ID,
        "ref": ref,
        "alert_class": alert_class,
        "version": _number(given.get("version", ""), "/version"),
        "step": _number(given.get("step", ""), "/step"),
        "by": request.staff.actor,
        "at": clock.now(),
    }
    if given.get("undo"):
        services.untick_step(**where)  # type: ignore[arg-type]
    else:
        services.tick_step(**where, note=given.get("note", ""))  # type: ignore[arg-type]
    back = reverse("incident-runbook", kwargs={"ref": ref})
    return redirect(f"{back}?class={alert_class.value}#{alert_class.value}-{where['step']}")


def _number(text: str, pointer: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 30_000:
        raise invalid(pointer, "is a whole number from 1 on")
    return int(text[:9])
