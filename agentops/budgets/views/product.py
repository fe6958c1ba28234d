"""What our own people decide about the product's money: revenue, and what a week is planned to cost."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from agentops.budgets import queries, services
from agentops.budgets import revenue as revenues
from agentops.budgets.booking import book
from agentops.budgets.staff_forms import RevenueFileForm, WeekPlanForm
from agentops.budgets.views.staff import frame
from agentops.common import clock
from agentops.common.errors import DomainError, Forbidden, InvalidInput
from agentops.common.money import nano_usd
from agentops.common.pages import show_refusal
from agentops.common.scope import staff_scope
from tenants.access import StaffRequest
from tenants.roles import Permission

FILE_EXAMPLE = "organisation,month,amount_usd,source\nacme,2026-10,4200.00,invoices\nglobex,2026-10,310.50,invoices"
REQUEST_EXAMPLE = """PUT /api/v1/revenue
Authorization: Bearer aos_…

{"lines": [
  {"organisation": "acme", "month": "2026-10",
   "amount_usd": "4200.00", "source": "invoices"}
]}"""


@require_http_methods(["GET", "POST"])
def revenue_new(request: StaffRequest) -> HttpResponse:
    """GET asks for a file; POST books all of it, or nothing and says which lines are wrong."""
    form = RevenueFileForm(request.POST or None, request.FILES or None)
    refused: DomainError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            raw = form.cleaned_data["file"].read(revenues.BYTES_MOST + 1)
            booked = book(revenues.from_csv(raw), by=request.staff.actor, at=clock.now())
        except InvalidInput as refusal:
            refused = refusal
        else:
            messages.success(request, f"{booked.changed:,} lines are booked; {booked.same:,} were so already.")
            return redirect("staff-spend-revenue")
    context = {"form": form, "refused": refused, "example": FILE_EXAMPLE, "request_example": REQUEST_EXAMPLE}
    return TemplateResponse(
        request, "budgets/staff_revenue_new.html", context, status=422 if request.method == "POST" else 200
    )


@require_http_methods(["GET", "POST"])
def week_plan(request: StaffRequest) -> HttpResponse:
    """GET shows what weeks were planned to cost; POST plans, which is for cost owners."""
    may_manage = request.staff.may(Permission.STAFF_SPEND_MANAGE)
    if request.method == "POST" and not may_manage:
        raise Forbidden("Your staff roles do not include this; a cost owner plans weeks.")
    form = WeekPlanForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_week_plan(
                starts_on=form.cleaned_data["starts_on"],
                weekly_nano_usd=nano_usd(form.cleaned_data["weekly_usd"]),
                by=request.staff.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Planned. A week above it becomes a finding.")
            return redirect("staff-spend-plan")
    with staff_scope():
        frame_of = frame("plan")
    today = clock.now().date()
    plans = queries.week_plans()
    context = {
        **frame_of,
        "form": form if may_manage else None,
        "plans": plans,
        "present": next((each for each in plans if each.starts_on <= today), None),
        "today": today,
    }
    return TemplateResponse(request, "budgets/staff_plan.html", context, status=422 if form.is_bound else 200)
