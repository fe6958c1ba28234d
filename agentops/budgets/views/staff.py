"""Spend over all organisations, for our own people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.budgets import across, queries
from agentops.budgets import staff_presenting as presenting
from agentops.budgets.across import Month, Quarter
from agentops.budgets.sheets import sheet
from agentops.common import clock
from agentops.common.errors import InputProblem, InvalidInput
from tenants import queries as tenants
from tenants.access import StaffRequest, TenantRequest
from tenants.roles import Permission

ROWS = 50
QUARTERS = 4
FILES = ("organisation", "agent", "model", "day", "quarter")


@require_GET
def spend(request: StaffRequest) -> HttpResponse:
    """A month of all organisations, against the one before."""
    month = _month(request)
    found, today = across.spending(month), month.today
    order = request.GET.get("order", "")
    order = order if order in presenting.ORDERS else "spent"
    lines = presenting.ordered(found.lines, order)
    page = _page(request, len(lines))
    here = f"{reverse('staff-spend')}?month={month.key}"
    context = {
        **frame("spend"),
        "found": found,
        "month": month,
        "stats": presenting.stats(found, planned=queries.planned_week(day=today)),
        "figure": presenting.days_figure(found),
        "days": presenting.days_of(found),
        "lines": lines[(page - 1) * ROWS : page * ROWS],
        "orders": [
            {"label": label, "url": f"{here}&order={key}#organisations", "is_current": key == order}
            for key, label in presenting.ORDERS.items()
        ],
        "waiting_nano_usd": found.total_nano_usd - found.outcomes.total_nano_usd,
        "newer_url": f"{here}&order={order}&page={page - 1}#organisations" if page > 1 else "",
        "older_url": f"{here}&order={order}&page={page + 1}#organisations" if page * ROWS < len(lines) else "",
        **_months(reverse("staff-spend"), month),
    }
    return TemplateResponse(request, "budgets/staff_spend.html", context)


@require_GET
def agents(request: StaffRequest) -> HttpResponse:
    """Agents and models of all organisations in a month."""
    month = _month(request)
    lines, models = across.agent_and_model_lines(month)
    page = _page(request, len(lines))
    here = f"{reverse('staff-spend-agents')}?month={month.key}"
    context = {
        **frame("agents"),
        "month": month,
        "lines": lines[(page - 1) * ROWS : page * ROWS],
        "models": models[:ROWS],
        "models_more": max(0, len(models) - ROWS),
        "newer_url": f"{here}&page={page - 1}" if page > 1 else "",
        "older_url": f"{here}&page={page + 1}" if page * ROWS < len(lines) else "",
        **_months(reverse("staff-spend-agents"), month),
    }
    return TemplateResponse(request, "budgets/staff_agents.html", context)


@require_GET
def revenue(request: StaffRequest) -> HttpResponse:
    """What organisations paid, beside what their agents spent, by quarter."""
    quarters = _quarters(clock.now().date())
    found = across.quarter_lines(quarters)
    newest = quarters[-1]
    chosen = next((each for each in quarters if each.key == request.GET.get("quarter")), newest)
    whole, *lines = found[chosen]
    page = _page(request, len(lines))
    here = f"{reverse('staff-spend-revenue')}?quarter={chosen.key}"
    context = {
        **frame("revenue"),
        "figure": presenting.quarters_figure(found),
        "quarters": [(each, rows[0]) for each, rows in found.items()],
        "chosen": chosen,
        "choices": [
            {
                "label": each.word,
                "url": f"{reverse('staff-spend-revenue')}?quarter={each.key}#organisations",
                "is_current": each == chosen,
            }
            for each in reversed(quarters)
        ],
        "is_running": chosen == newest,
        "whole": whole,
        "lines": lines[(page - 1) * ROWS : page * ROWS],
        "newer_url": f"{here}&page={page - 1}#organisations" if page > 1 else "",
        "older_url": f"{here}&page={page + 1}#organisations" if page * ROWS < len(lines) else "",
        "may_manage": request.staff.may(Permission.STAFF_SPEND_MANAGE),
    }
    return TemplateResponse(request, "budgets/staff_revenue.html", context)


@require_GET
def findings(request: StaffRequest) -> HttpResponse:
    """What was found about the product, and about each organisation."""
    found = queries.findings(most=200)
    organisations = tenants.tenants_by_id(each.tenant_id for each in found)
    context = {
        **frame("findings"),
        "product": queries.product_findings(most=50),
        "found": [(each, organisations[each.tenant_id]) for each in found if each.tenant_id in organisations],
    }
    return TemplateResponse(request, "budgets/staff_findings.html", context)


@require_GET
def file(request: StaffRequest) -> HttpResponse:
    """The rows of one of the tables, all of them, as a file; `by` says which."""
    by = request.GET.get("by", "organisation")
    if by not in FILES:
        problem = InputProblem("/by", "invalid", f"is one of {', '.join(FILES)}")
        raise InvalidInput("There is no such file.", problems=(problem,))
    month = _month(request)
    columns, rows = _sheet(by, month)
    return _csv(f"spend-by-{by}-{month.key}.csv", columns, rows)


@require_GET
def tenant_spend(request: TenantRequest) -> HttpResponse:
    """A month of one organisation: its agents, models and days, what it paid, and what was found."""
    tenant, month = request.access.tenant, _month(request)
    lines, models = across.agent_and_model_lines(month, tenant=tenant)
    days = across.day_lines(month, tenant=tenant)
    here = reverse("staff-tenant-spend", kwargs={"slug": tenant.slug})
    if "by" in request.GET:
        columns, rows = _tenant_sheet(request.GET["by"], lines, models, days)
        return _csv(f"spend-{tenant.slug}-{month.key}.csv", columns, rows)
    total = across.added(models)
    context = {
        "tenant": tenant,
        "month": month,
        "total": total,
        "observed_nano_usd": total.amount_nano_usd - total.guarded_nano_usd,
        "lines": lines,
        "models": models,
        "days": days,
        "revenue": queries.revenue_lines(tenant=tenant.id)[:12],
        "found": queries.findings(tenant=tenant.id, most=20),
        "manager": tenants.success_manager_of(tenant.id),
        **_months(here, month),
    }
    return TemplateResponse(request, "budgets/staff_tenant_spend.html", context)


# -- parts ------------------------------------------------------------------------------------------------------------


def frame(current: str) -> dict[str, Any]:
    """The tabs, and what is found and open: on every page, for it is what somebody should look at."""
    product = queries.product_findings(only_open=True)
    count = len(product) + len(queries.findings(only_open=True))
    return {"tabs": presenting.tabs(current, open_findings=count), "alarms": product, "open_findings": count}


def _month(request: StaffRequest | TenantRequest) -> Month:
    return Month.of(request.GET.get("month", "").strip(), clock.now().date())


def _months(here: str, month: Month) -> dict[str, Any]:
    """The ways to the months before and after."""
    after = month.after
    return {
        "earlier_url": f"{here}?month={month.before.key}",
        "later_url": f"{here}?month={after.key}" if after else "",
    }


def _quarters(today: date) -> list[Quarter]:
    """The present quarter and those before it, the oldest first."""
    found = [Quarter.around(today)]
    while len(found) < QUARTERS:
        found.insert(0, found[0].before)
    return found


def _page(request: StaffRequest, rows: int) -> int:
    """Which page of a table of so many rows."""
    text = request.GET.get("page", "1")
    most = max(1, -(-rows // ROWS))
    return min(int(text), most) if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 999_999 else 1


def _sheet(by: str, month: Month) -> presenting.Sheet:
    if by == "agent":
        return presenting.agents_sheet(across.agent_and_model_lines(month)[0])
    if by == "model":
        return presenting.models_sheet(across.agent_and_model_lines(month)[1])
    if by == "quarter":
        return presenting.quarters_sheet(across.quarter_lines(_quarters(month.today)))
    found = across.spending(month)
    if by == "day":
        return presenting.days_sheet(month, found)
    return presenting.tenants_sheet(presenting.ordered(found.lines, "spent"))


def _tenant_sheet(
    by: str, lines: list[across.AgentLine], models: list[queries.SumRow], days: list[queries.SumRow]
) -> presenting.Sheet:
    if by == "model":
        return presenting.models_sheet(models)
    if by == "day":
        return ("day", "cost_usd"), [(str(row.day), presenting.usd(row.amount_nano_usd)) for row in days]
    return presenting.agents_sheet(lines)


def _csv(name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> HttpResponse:
    return HttpResponse(
        sheet(columns, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
