"""Rotations: set one, have somebody take over, take that back."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import show_refusal
from incidents.forms.oncall import CoverForm, RotationForm, filled
from incidents.queries.rotas import rotas
from incidents.services import covers
from incidents.services import rotations as services
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import StaffRole


@require_http_methods(["GET", "POST"])
def rotation(request: StaffRequest, rotation: uuid.UUID | None = None) -> HttpResponse:
    """The form of one rotation, or of a further one."""
    at, every = clock.now(), rotas(at=clock.now())
    found = next((rota for rota in every if rota.rotation.id == rotation), None)
    if rotation is not None and found is None:
        raise NotFound("There is no such rotation.")
    by_role = tenants.staff_by_role()
    form = RotationForm(
        request.POST if request.method == "POST" else None,
        initial=filled(found) if found else {"starts_on": at.date()},
        people=[user for users in by_role.values() for user in users],
        others=[rota for rota in every if rota is not found],
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.set_rotation(
                tenant=HOUSE_ID, terms=form.terms(), rotation=rotation, by=request.staff.actor, at=at
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"The rotation {made.name} is set.")
            return redirect("staff-on-call")
    context = {
        "form": form,
        "found": found,
        "by_role": [(StaffRole(role).label, users) for role, users in sorted(by_role.items())],
        "time_zones": form.time_zones(),
    }
    return TemplateResponse(request, "incidents/rotation.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def cover(request: StaffRequest, rotation: uuid.UUID) -> HttpResponse:
    """Somebody takes over for a while."""
    at = clock.now()
    found = next((rota for rota in rotas(at=at) if rota.rotation.id == rotation), None)
    if found is None:
        raise NotFound("There is no such rotation.")
    people = tenants.staff_by_role().get(StaffRole(found.rotation.role), [])
    form = CoverForm(
        request.POST if request.method == "POST" else None, people=people, initial={"user": request.user.pk}
    )
    if request.method == "POST" and form.is_valid():
        try:
            covers.take_over(tenant=HOUSE_ID, rotation=rotation, by=request.staff.actor, at=at, **form.cleaned_data)
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Saved. Pages go to them for that time.")
            return redirect("staff-on-call")
    context = {"form": form, "rota": found}
    return TemplateResponse(request, "incidents/cover.html", context, status=422 if form.errors else 200)


@require_POST
def cover_cancel(request: StaffRequest, cover: uuid.UUID) -> HttpResponse:
    covers.cancel_cover(tenant=HOUSE_ID, override=cover, by=request.staff.actor, at=clock.now())
    messages.success(request, "Taken back. The turns hold again.")
    return redirect("staff-on-call")
