"""Spend: a period against its budget, how it will end, and broken down by who and what spent it."""

from __future__ import annotations

from datetime import tzinfo
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from agentops.budgets import presenting, queries
from agentops.budgets.asking import BREAKDOWNS, PAGE_ROWS, Asked
from agentops.budgets.breakdowns import Breakdown, breakdown
from agentops.budgets.presenting import NEAR_PERCENT, PERIOD_NAMES, Use, ratio
from agentops.budgets.queries import Outlook, SumRow
from agentops.budgets.sheets import sheet
from agentops.budgets.types import BudgetState, Period, Scope
from agentops.common import clock
from agentops.common.money import usd_text
from agentops.common.pages import is_fragment, page_or_fragment, place
from agentops.portal.templatetags.words import count, money, money_text, percent
from tenants.access import TenantRequest
from tenants.roles import Permission

NEAR_ROWS = 8
BY_WORDS = {"user": "End users", "agent": "Agents", "model": "Models", "tool": "Tools", "day": "Days"}
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_KEYS = {"user": ("user",), "agent": ("agent",), "model": ("model", "provider"), "day": ("day",)}


@require_GET
def spend(request: TenantRequest) -> HttpResponse:
    """The page; for htmx the breakdown alone."""
    tenant, now = request.access.tenant.id, clock.now()
    zone = queries.calendar(tenant=tenant)
    asked = Asked.of(request.GET, now=now, zone=zone)
    total = queries.total(tenant=tenant, since=asked.start, until=asked.end)
    context = {
        "asked": asked,
        "period_text": presenting.period_text(asked.period, asked.first_day),
        **_broken_down(request, asked, breakdown(tenant=tenant, asked=asked, total=total, zone=zone)),
    }
    if not is_fragment(request):
        look = queries.outlook(tenant=tenant, period=asked.period, at=asked.at, now=now)
        state = queries.budget_of(tenant=tenant, scope=Scope.TENANT, period=asked.period, at=now)
        near, near_count = queries.near_limits(tenant=tenant, at=now, percent=NEAR_PERCENT, most=NEAR_ROWS)
        context |= {
            "zone": presenting.zone_name(zone),
            "periods": _periods(asked),
            "earlier_url": asked.earlier(zone),
            "later_url": asked.later(zone, now),
            "look": look,
            "state": state,
            **_used(state, total, zone),
            "ahead": presenting.ahead_text(look, state.terms) if state and asked.is_present else "",
            "stats": _stats(request, asked, total, look, state),
            "total": total,
            "unpriced_url": _unpriced_url(request),
            **_chart(request, asked, look, state),
            "near": [(one, presenting.use_of(one), presenting.whose(one.scope, one.subject)) for one in near],
            "near_more": near_count - len(near),
            "may_manage": request.access.may(Permission.BUDGETS_MANAGE),
        }
    return page_or_fragment(request, "budgets/spend.html", "budgets/_breakdown.html", context)


@require_GET
def spend_csv(request: TenantRequest) -> HttpResponse:
    """All rows of a breakdown as a file; its last row is the total."""
    tenant, now = request.access.tenant, clock.now()
    zone = queries.calendar(tenant=tenant.id)
    asked = Asked.of(request.GET, now=now, zone=zone)
    total = queries.total(tenant=tenant.id, since=asked.start, until=asked.end)
    found = breakdown(tenant=tenant.id, asked=asked, total=total, zone=zone, is_whole=True)
    content = _tools_sheet(found) if asked.by == "tool" else _sums_sheet(found, total)
    name = f"spend-{tenant.slug}-{asked.period.value}-{asked.first_day}-by-{asked.by}.csv"
    return HttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


# -- parts of the page ------------------------------------------------------------------------------------------------


def _broken_down(request: TenantRequest, asked: Asked, found: Breakdown) -> dict[str, Any]:
    here = place(request, "budgets")
    older = here + asked.query(page=asked.page + 1) if asked.skip + len(found.lines) < found.count else ""
    first = asked.skip + 1
    return {
        "breakdown": found,
        "by_word": BY_WORDS[asked.by],
        "tabs": [
            {"label": BY_WORDS[by], "url": here + asked.query(by=by), "is_current": by == asked.by} for by in BREAKDOWNS
        ],
        "csv_url": place(request, "spend-csv") + asked.query(),
        "newer_url": here + asked.query(page=asked.page - 1) if asked.page > 1 and asked.by != "day" else "",
        "older_url": "" if asked.by == "day" else older,
        "rows_text": f"{first:,} to {asked.skip + len(found.lines):,} of {found.count:,}"
        if found.lines and found.count > PAGE_ROWS and asked.by != "day"
        else "",
        "runs_url": _runs_url(request),
    }


def _runs_url(request: TenantRequest) -> str:
    return place(request, "runs") if request.access.may(Permission.RUNS_READ) else ""


def _unpriced_url(request: TenantRequest) -> str:
    return place(request, "prices") if request.access.may(Permission.SETTINGS_READ) else ""


def _periods(asked: Asked) -> list[dict[str, Any]]:
    return [
        {"label": period.label, "url": asked.query(period=period.value, of=""), "is_current": period is asked.period}
        for period in Period
    ]


def _stats(
    request: TenantRequest, asked: Asked, total: SumRow, look: Outlook, state: BudgetState | None
) -> list[dict[str, Any]]:
    observed = total.amount_nano_usd - total.guarded_nano_usd
    rate = presenting.hit_rate(total)
    return [
        _spent(request, asked, total, state),
        *([_forecast(look)] if asked.is_present else []),
        {
            "label": "Saved by caches",
            "value": money(total.saved_nano_usd),
            "note": f"{percent(rate)} of the input was read from a cache" if rate is not None else "no input yet",
        },
        {
            "label": "Only observed",
            "value": money(observed),
            "note": f"{percent(ratio(observed, total.amount_nano_usd))} of it: alerted, not stopped"
            if observed > 0
            else "everything asked the guard first",
            "tone": "warn" if observed > 0 else "",
            "url": place(request, "budgets") + asked.query(by="agent") + "#breakdown" if observed > 0 else "",
        },
        {
            "label": "Calls without a price",
            "value": count(total.unpriced_calls),
            "note": "what they cost is unknown, not zero" if total.unpriced_calls else f"of {total.calls:,} calls",
            "tone": "warn" if total.unpriced_calls else "",
            "url": _unpriced_url(request) if total.unpriced_calls else "",
        },
    ]


def _spent(request: TenantRequest, asked: Asked, total: SumRow, state: BudgetState | None) -> dict[str, Any]:
    if state is None:
        note, tone = f"no budget {PERIOD_NAMES[asked.period]}", ""
    else:
        use = Use(total.amount_nano_usd, state.terms.limit_nano_usd, state.terms.ceiling_nano_usd)
        note = f"{use.percent} % of {money_text(use.limit_nano_usd)}"
        tone = {"room": "", "near": "warn"}.get(use.state, "bad")
    return {"label": "Spent", "value": money(total.amount_nano_usd), "note": note, "tone": tone,
            "url": place(request, "budget-limits")}  # fmt: skip


def _used(state: BudgetState | None, total: SumRow, zone: tzinfo) -> dict[str, Any]:
    if state is None:
        return {}
    use = Use(total.amount_nano_usd, state.terms.limit_nano_usd, state.terms.ceiling_nano_usd)
    return {"use": use, "resets": presenting.local(state.resets_at, zone)}


def _forecast(look: Outlook) -> dict[str, Any]:
    found = look.forecast
    if found is None:
        return {"label": "Forecast to its end", "value": "–", "note": "needs spend on seven days before today, or more"}
    return {
        "label": "Forecast to its end",
        "value": money(found.expected_nano_usd),
        "note": f"{money_text(found.low_nano_usd)} to {money_text(found.high_nano_usd)} in 4 of 5 cases",
    }


def _chart(request: TenantRequest, asked: Asked, look: Outlook, state: BudgetState | None) -> dict[str, Any]:
    """A day by its hours; longer periods added up, with the forecast and the limit."""
    limit = state.terms.limit_nano_usd if state else None
    if asked.period is not Period.DAY:
        return {
            "figure": presenting.course_figure(look, limit),
            "course": _course(look),
            "question": "Will it stay within the budget?" if state else "Where does it go?",
            "chart_sentence": "Dollars, added up day by day; what is to come is a forecast."
            if look.forecast
            else "Dollars, added up day by day.",
        }
    tenant = request.access.tenant.id
    zone = queries.calendar(tenant=tenant)
    rows = queries.sums(tenant=tenant, since=asked.start, until=asked.end, by=("hour",))
    hours = [(row.hour.astimezone(zone), row.amount_nano_usd) for row in rows if row.hour]
    points = [(f"{hour:%Y-%m-%d %H:%M}", amount) for hour, amount in hours]
    return {
        "figure": presenting.bars_figure(points, form="%H:%M"),
        "hours": hours,
        "question": "What did each hour cost?",
        "chart_sentence": f"Dollars; {presenting.zone_name(zone)}",
    }


def _course(look: Outlook) -> list[tuple[Any, int, int]]:
    """Each day with what it cost, and all up to it."""
    found, total = [], 0
    for day, amount in look.days:
        total += amount
        found.append((day, amount, total))
    return found


# -- files ------------------------------------------------------------------------------------------------------------


def _usd(nano: int) -> Decimal:
    """Exact; a number, so that nothing quotes it."""
    return Decimal(usd_text(nano) or 0)


def _sums_sheet(found: Breakdown, total: SumRow) -> bytes:
    keys = _KEYS[found.by]
    columns = (
        *keys, "calls", "unpriced_calls", *_TOKENS, "cached_answers", "cost_usd", "saved_usd", "guarded_usd",
    )  # fmt: skip
    rows = [
        (line.key, *([line.detail] if len(keys) > 1 else []), *_cells(line.sums)) for line in found.lines if line.sums
    ]
    return sheet(columns, [*rows, ("total", *([""] if len(keys) > 1 else []), *_cells(total))])


def _cells(row: SumRow) -> tuple[object, ...]:
    return (
        row.calls, row.unpriced_calls, *(getattr(row, name) for name in _TOKENS), row.cached_answers,
        _usd(row.amount_nano_usd), _usd(row.saved_nano_usd), _usd(row.guarded_nano_usd),
    )  # fmt: skip


def _tools_sheet(found: Breakdown) -> bytes:
    rows: list[tuple[object, ...]] = [(line.key, line.runs, _usd(line.amount_nano_usd)) for line in found.lines]
    waiting = ("not added up yet", "", _usd(found.waiting_nano_usd or 0))
    return sheet(("tool", "runs", "cost_usd"), [*rows, waiting, ("total", "", _usd(found.total_nano_usd))])
