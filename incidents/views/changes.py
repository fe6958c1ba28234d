"""What people change of an incident: each a resource that a form is sent to, which leads back to the page."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, Forbidden, NotFound
from agentops.common.pages import show_refusal
from incidents import services
from incidents.forms.lifecycle import SeverityForm, TimesForm
from incidents.policies.grouping import RULES
from incidents.queries import incidents as queries
from incidents.queries.named import incident_called
from incidents.services.times import CORRECTABLE
from incidents.types import IncidentStatus
from incidents.views.shared import done, who
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission


@require_POST
def incident_status(request: StaffRequest, ref: str) -> HttpResponse:
    """On to the next state, reopened or cancelled; a gate that is not met says what is missing."""
    found, to = incident_called(ref), request.POST.get("to", "")
    hours = request.POST.get("hours", "48")
    words = IncidentStatus(to).label if to in IncidentStatus.values else to
    return done(
        request,
        found.ref,
        lambda: services.move(
            to=to,
            reason=request.POST.get("reason", ""),
            hours=int(hours) if hours.isascii() and hours.isdigit() and len(hours) < 4 else 0,
            expected=request.POST.get("expected") or None,
            who=who(request),
            **_of(request, found.id),
        ),
        f"{found.ref}: {words.lower()}.",
        back="incident-cause" if request.POST.get("back") == "cause" else "incident",
    )


@require_POST
def incident_acknowledgement(request: StaffRequest, ref: str) -> HttpResponse:
    found = incident_called(ref)
    return done(request, found.ref, lambda: services.acknowledge_incident(**_of(request, found.id)), "Acknowledged.")


@require_POST
def incident_severity(request: StaffRequest, ref: str) -> HttpResponse:
    found, form = incident_called(ref), SeverityForm(request.POST)
    severity = request.POST.get("severity", "")
    return done(
        request,
        found.ref,
        lambda: services.set_severity(
            severity=int(severity) if severity in ("1", "2", "3") else 0,
            reason=form.data.get("reason", ""),
            who=who(request),
            **_of(request, found.id),
        ),
        f"It is SEV-{severity}.",
    )


@require_POST
def incident_roles(request: StaffRequest, ref: str) -> HttpResponse:
    """Take a role, give it to somebody (`user`), or give it up (`renounce`)."""
    found, role = incident_called(ref), request.POST.get("role", "")
    user = request.POST.get("user", "")
    chosen = int(user) if user.isascii() and user.isdigit() and len(user) < 18 else request.user.pk
    is_free = "renounce" in request.POST
    held = next((each.user_id for each in queries.roles_of(found.id) if each.role == role), None)
    is_own = (held if is_free else chosen) == request.user.pk
    if not is_own and not request.staff.may(Permission.STAFF_RESPOND):
        raise Forbidden("Your staff roles let you take a role for yourself, and give up your own.")
    if is_free:
        return done(
            request, found.ref, lambda: services.renounce_role(role=role, **_of(request, found.id)), "The role is free."
        )
    return done(
        request,
        found.ref,
        lambda: services.assume_role(role=role, user=chosen, **_of(request, found.id)),
        "The role is taken.",
    )


@require_POST
def incident_alerts(request: StaffRequest, ref: str) -> HttpResponse:
    """An alert joins, or is taken out for good (`remove`)."""
    found, alert = incident_called(ref), _uuid(request.POST.get("alert", ""))
    reason = request.POST.get("reason", "")
    if "remove" in request.POST:
        return done(
            request,
            found.ref,
            lambda: services.remove_alert(alert_id=alert, reason=reason, **_of(request, found.id)),
            "It is taken out, and stays out.",
        )
    alike = _rule(found.id, alert)
    return done(
        request,
        found.ref,
        lambda: services.join_alert(
            alert_id=alert, reason=reason, rule=alike[0], compared=alike[1], **_of(request, found.id)
        ),
        "The alert has joined.",
    )


@require_POST
def incident_decision(request: StaffRequest, ref: str) -> HttpResponse:
    """A commander's written decision to use no kill switch."""
    found = incident_called(ref)
    return done(
        request,
        found.ref,
        lambda: services.decide_not_to_stop(
            reason=request.POST.get("reason", ""), who=who(request), **_of(request, found.id)
        ),
        "It is written down, with your name.",
    )


@require_POST
def incident_merge(request: StaffRequest, ref: str) -> HttpResponse:
    """The same as another (`into`), or a part of it (`part_of`, empty for none)."""
    found = incident_called(ref)
    if "part_of" in request.POST:
        above = request.POST["part_of"]
        parent = incident_called(above).id if above else None
        return done(
            request, found.ref, lambda: services.set_parent(parent=parent, **_of(request, found.id)), "It is kept."
        )
    into = incident_called(request.POST.get("into", ""))
    return done(
        request,
        found.ref,
        lambda: services.merge(
            into=into.id, reason=request.POST.get("reason", ""), who=who(request), **_of(request, found.id)
        ),
        f"Merged into {into.ref}.",
    )


@require_http_methods(["GET", "POST"])
def incident_times(request: StaffRequest, ref: str) -> HttpResponse:
    """Correct when things happened, with how that is known."""
    found = incident_called(ref)
    form = TimesForm(request.POST or None, initial={name: getattr(found, name) for name in CORRECTABLE})
    if request.method == "POST" and form.is_valid():
        times = {
            name: form.cleaned_data[name]
            for name in CORRECTABLE
            if form.cleaned_data[name] is not None and not _is_shown(form.cleaned_data[name], getattr(found, name))
        }
        try:
            services.correct_times(times=times, reason=form.cleaned_data["reason"], **_of(request, found.id))
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return redirect("incident", ref=found.ref)
    context = {"incident": found, "form": form}
    return TemplateResponse(request, "incidents/times.html", context, status=422 if form.is_bound else 200)


def _is_shown(given: datetime, before: datetime | None) -> bool:
    """The form shows seconds: what is the same to the second was not changed."""
    return before is not None and given.replace(microsecond=0) == before.replace(microsecond=0)


def _rule(incident: uuid.UUID, alert: uuid.UUID) -> tuple[str, dict[str, str]]:
    """By which rule it was suggested, if it was."""
    alerts = [each for _, each in queries.alerts_of(incident)]
    for found, alike in queries.suggestions(alerts, incident=incident):
        if found.id == alert and alike.rule in RULES:
            return alike.rule, alike.inputs
    return "", {}


def _of(request: StaffRequest, incident: uuid.UUID) -> dict[str, Any]:
    return {"tenant": HOUSE_ID, "incident_id": incident, "by": request.staff.actor, "at": clock.now()}


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise NotFound("There is no such alert.") from error
