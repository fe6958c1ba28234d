"""How long entries are kept, and what is held beyond that."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError, InputProblem, InvalidInput
from agentops.common.pages import place, question, show_refusal
from audit import queries, services
from audit.keeping_forms import RUN, HoldForm, LiftForm, PeriodForm
from audit.models import Hold
from tenants.access import TenantRequest, members_by_id
from tenants.roles import PLAN_AUDIT_DAYS, Permission
from tenants.sign_in import require_recent_sign_in

_MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold, and who set and lifted it, by what people call them."""

    hold: Hold
    set_by: str
    lifted_by: str


@require_GET
def retention(request: TenantRequest) -> HttpResponse:
    """For how long, since when, what was deleted and what is held."""
    tenant, most = request.access.tenant.id, _plan_days(request)
    days, may_manage = queries.kept_days(tenant=tenant, most=most), request.access.may(Permission.AUDIT_MANAGE)
    context = {
        "days": days,
        "most": most,
        "horizon": clock.now() - timedelta(days=days),
        "oldest": queries.oldest_entry_at(tenant=tenant),
        "prunings": queries.prunings(tenant=tenant),
        "holds": _named(tenant, queries.holds(tenant=tenant)),
        "may_manage": may_manage,
        "hold_url": place(request, "audit-hold-new") if may_manage else "",
    }
    return TemplateResponse(request, "audit/retention.html", context)


@require_http_methods(["GET", "POST"])
def retention_period(request: TenantRequest) -> HttpResponse:
    """GET says what a shorter period would delete; POST sets it."""
    tenant, most, at = request.access.tenant.id, _plan_days(request), clock.now()
    days = queries.kept_days(tenant=tenant, most=most)
    form = PeriodForm(request.POST or None, now_days=days, most=most, initial={"days": days})
    if request.method == "POST" and form.is_valid():
        require_recent_sign_in(request)
        chosen = form.cleaned_data["days"]
        try:
            services.set_period(tenant=tenant, days=chosen, most=most, by=request.access.actor, at=at)
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"Entries are kept for {chosen} days.")
            return redirect(place(request, "audit-retention"))
    context = {
        "form": form,
        "days": days,
        "would_go": _would_go(tenant, form, days) if form.is_bound else None,
        "back_url": place(request, "audit-retention"),
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "audit/retention_period.html", context, status=status)


@require_http_methods(["GET", "POST"])
def hold_new(request: TenantRequest) -> HttpResponse:
    """GET asks what to hold and why (`?run=…` names a run beforehand); POST holds it."""
    tenant, run = request.access.tenant.id, request.GET.get("run", "")
    form = HoldForm(request.POST or None, initial={"scope": RUN, "run": run} if run else None)
    if request.method == "POST" and form.is_valid():
        try:
            if form.held_run and not queries.knows_run(tenant=tenant, run=form.held_run):
                problem = InputProblem("/run", "unknown", "The log has no entry of this run.")
                raise InvalidInput("There is nothing to hold.", problems=(problem,))
            services.set_hold(
                tenant=tenant,
                run=form.held_run,
                reason=form.cleaned_data["reason"],
                by=request.access.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "It is held until somebody lifts the hold.")
            return redirect(place(request, "audit-retention"))
    context = {"form": form, "back_url": place(request, "audit-retention")}
    return TemplateResponse(request, "audit/hold_new.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def hold_lift(request: TenantRequest, hold: uuid.UUID) -> HttpResponse:
    """GET asks for the reason; POST lets go."""
    tenant = request.access.tenant.id
    found = queries.hold(tenant=tenant, hold=hold)
    back, form = place(request, "audit-retention"), LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        require_recent_sign_in(request)
        reason, by = form.cleaned_data["reason"], request.access.actor
        services.lift_hold(tenant=tenant, hold=hold, reason=reason, by=by, at=clock.now())
        messages.success(request, "The hold is lifted.")
        return redirect(back)
    [view] = _named(tenant, [found])
    return question(
        request,
        "audit/_hold_lift.html",
        {"form": form, "view": view, "action": place(request, "audit-hold-lift", hold=hold)},
        title="Lift this hold?",
        back=(back, "Retention"),
        status=422 if form.is_bound else 200,
    )


def _plan_days(request: TenantRequest) -> int:
    return PLAN_AUDIT_DAYS[request.access.tenant.plan]


def _would_go(tenant: uuid.UUID, form: PeriodForm, days: int) -> int | None:
    """How many entries a shorter period deletes; None where it is not shorter."""
    chosen = form.cleaned_data.get("days")
    if not chosen or chosen >= days or "days" in form.errors:
        return None
    before = clock.now() - timedelta(days=chosen)
    return queries.entries_before(tenant=tenant, before=before, most=_MOST_COUNTED)


def _named(tenant: uuid.UUID, holds: Iterable[Hold]) -> list[HoldView]:
    """`user:12` as the person's name, where they are still here."""
    found = list(holds)
    ids = {who for hold in found for who in (hold.set_by, hold.lifted_by) if who.startswith("user:")}
    people = members_by_id(tenant, [int(who.partition(":")[2]) for who in ids])
    names = {f"user:{number}": str(user) for number, user in people.items()}
    return [HoldView(hold, names.get(hold.set_by, hold.set_by), names.get(hold.lifted_by, "")) for hold in found]
