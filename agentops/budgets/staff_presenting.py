"""How spend over all organisations is shown: figures, tabs, charts and the rows of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse

from agentops.budgets import alarms
from agentops.budgets.across import AgentLine, Month, Quarter, QuarterLine, Spending, TenantLine
from agentops.budgets.queries import SumRow
from agentops.common.money import usd_text
from agentops.portal.templatetags.words import change, count, money, money_text, percent

TABS = (
    ("spend", "Spend", "staff-spend"),
    ("agents", "Agents and models", "staff-spend-agents"),
    ("revenue", "Revenue", "staff-spend-revenue"),
    ("plan", "Week plan", "staff-spend-plan"),
    ("findings", "Findings", "staff-spend-findings"),
)
ORDERS = {"spent": "Most spent", "moved": "Moved most", "plan": "Nearest to their plan"}
_DAY = timedelta(days=1)


def tabs(current: str, *, open_findings: int) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "url": reverse(name),
            "is_current": key == current,
            "count": open_findings if key == "findings" and open_findings else "",
        }
        for key, label, name in TABS
    ]


def stats(found: Spending, *, planned: int | None) -> list[dict[str, Any]]:
    """The strip of figures over the page."""
    shown = [_month(found)]
    if found.month.is_present:
        shown += [_today(found), _week(found, planned)]
    return [*shown, _lost(found), _success(found), _saved(found)]


def _month(found: Spending) -> dict[str, Any]:
    before, name = found.before_nano_usd, f"{found.month.before.first:%B}"
    note = f"nothing in {name}"
    if before:
        days = "the same days of " if found.month.is_present else ""
        note = f"{change((found.total_nano_usd - before) / before)} against {days}{name}"
    return {
        "label": f"{found.month.first:%B}",
        "value": money(found.total_nano_usd),
        "note": note,
        "url": "#organisations",
    }


def _today(found: Spending) -> dict[str, Any]:
    today = found.month.today
    amount = _of_day(found, today)
    before = [_of_day(found, today - back * _DAY) for back in range(1, alarms.DAYS_LOOKED_AT + 1)]
    excess = alarms.day_above_baseline(amount, before)
    usual, days = alarms.usual_day(before), alarms.baseline_days(before)
    note = f"{money_text(usual)} a day in the {count(days)} before" if days > 1 else "nothing to compare it with yet"
    return {
        "label": "Today so far",
        "value": money(amount),
        "note": f"above 1.5 times what is usual ({money_text(usual)})" if excess else note,
        "tone": "bad" if excess else "",
        "url": reverse("staff-spend-findings") if excess else "#days",
    }


def _week(found: Spending, planned: int | None) -> dict[str, Any]:
    today = found.month.today
    amount = sum(_of_day(found, today - back * _DAY) for back in range(today.weekday() + 1))
    note = "no plan for the week" if planned is None else f"{amount / planned:.0%} of {money_text(planned)} planned"
    return {
        "label": "This week",
        "value": money(amount),
        "note": note,
        "tone": "bad" if planned is not None and amount > planned else "",
        "url": reverse("staff-spend-plan"),
    }


def _lost(found: Spending) -> dict[str, Any]:
    outcomes = found.outcomes
    lost = outcomes.error_nano_usd + outcomes.aborted_nano_usd
    return {
        "label": "Failed and aborted runs",
        "value": money(lost),
        "note": f"{money_text(outcomes.error_nano_usd)} failed, {money_text(outcomes.aborted_nano_usd)} aborted",
        "url": f"{reverse('staff-spend-agents')}?month={found.month.key}",
    }


def _success(found: Spending) -> dict[str, Any]:
    outcomes = found.outcomes
    each = outcomes.per_success_nano_usd
    return {
        "label": "A successful run",
        "value": "–" if each is None else money(each),
        "note": f"all spend over {count(outcomes.successes)} of them" if each is not None else "none ended well yet",
        "url": f"{reverse('staff-spend-agents')}?month={found.month.key}",
    }


def _saved(found: Spending) -> dict[str, Any]:
    rate = found.hit_rate
    return {
        "label": "Saved by caches",
        "value": money(found.saved_nano_usd),
        "note": f"{percent(rate)} of the input was read from a cache" if rate is not None else "no input yet",
        "url": f"{reverse('staff-spend-agents')}?month={found.month.key}",
    }


def _of_day(found: Spending, day: date) -> int:
    row = found.by_day.get(day)
    return row.amount_nano_usd if row else 0


def ordered(lines: Sequence[TenantLine], order: str) -> list[TenantLine]:
    def weight(line: TenantLine) -> float:
        if order == "moved":
            return abs(line.change_nano_usd)
        return line.used if order == "plan" else line.amount_nano_usd

    return sorted(lines, key=lambda line: (-weight(line), line.tenant.name, str(line.tenant.id)))


# -- charts -----------------------------------------------------------------------------------------------------------


def days_of(found: Spending) -> list[tuple[int, int | None, int | None]]:
    """By the day of the month: this month's spend and the one before's; None where there is no such day yet."""
    month, before = found.month, found.month.before
    most = max((month.end - month.first).days, (before.end - before.first).days)
    return [
        (
            place + 1,
            _of_day(found, month.first + place * _DAY) if place < month.days else None,
            _of_day(found, before.first + place * _DAY) if before.first + place * _DAY < before.end else None,
        )
        for place in range(most)
    ]


def days_figure(found: Spending) -> dict[str, Any]:
    """Two lines, told apart by dash and symbol as well; one, where the month before had nothing."""
    days = days_of(found)
    month, before = found.month.first, found.month.before.first
    lines = [_line(f"{month:%B}", [(day, amount) for day, amount, _ in days], dash="solid", symbol="circle")]
    if any(amount for _, _, amount in days):
        points = [(day, amount) for day, _, amount in days]
        lines.append(_line(f"{before:%B}", points, dash="dot", symbol="diamond-open"))
    return {
        "data": lines,
        "layout": {
            "xaxis": {"title": {"text": "Day of the month"}, "dtick": 2, "range": [0.5, 31.5]},
            "yaxis": {"rangemode": "tozero", "tickprefix": "$"},
        },
    }


def _line(name: str, points: list[tuple[int, int | None]], *, dash: str, symbol: str) -> dict[str, Any]:
    known = [(day, amount) for day, amount in points if amount is not None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [day for day, _ in known],
        "y": [usd_text(amount) for _, amount in known],
        "line": {"dash": dash},
        "marker": {"symbol": symbol, "size": 6},
        "hovertemplate": "$%{y:,.2f}",
    }


def quarters_figure(quarters: dict[Quarter, list[QuarterLine]]) -> dict[str, Any]:
    """Revenue and spend side by side; spend is hatched."""
    words = [quarter.word for quarter in quarters]
    whole = [lines[0] for lines in quarters.values()]
    return {
        "data": [
            {"type": "bar", "name": "Revenue", "x": words, "y": [usd_text(line.revenue_nano_usd) for line in whole]},
            {
                "type": "bar",
                "name": "Spend on models",
                "x": words,
                "y": [usd_text(line.spent_nano_usd) for line in whole],
                "marker": {"pattern": {"shape": "/"}},
            },
        ],
        "layout": {
            "barmode": "group",
            "yaxis": {"rangemode": "tozero", "tickprefix": "$"},
            "xaxis": {"type": "category"},
        },
    }


# -- files ------------------------------------------------------------------------------------------------------------

Sheet = tuple[Sequence[str], list[Sequence[object]]]


def usd(nano: int | None) -> Decimal | str:
    """Exact; empty where nothing is known."""
    return "" if nano is None else Decimal(usd_text(nano) or 0)


def tenants_sheet(lines: Sequence[TenantLine]) -> Sheet:
    columns = (
        "organisation",
        "name",
        "plan",
        "cost_usd",
        "same_days_before_usd",
        "plan_usd",
        "calls",
        "unpriced_calls",
    )
    return columns, [
        (
            line.tenant.slug, line.tenant.name, line.tenant.plan, usd(line.amount_nano_usd), usd(line.before_nano_usd),
            usd(line.tier_nano_usd), line.calls, line.unpriced_calls,
        )
        for line in lines
    ]  # fmt: skip


def agents_sheet(lines: Sequence[AgentLine]) -> Sheet:
    columns = (
        "organisation", "agent", "cost_usd", "failed_runs_usd", "aborted_runs_usd", "successful_runs",
        "per_successful_run_usd", "saved_usd", "input_tokens", "cache_read_tokens", "calls", "unpriced_calls",
    )  # fmt: skip
    return columns, [
        (
            line.tenant.slug, line.agent, usd(line.sums.amount_nano_usd), usd(line.outcomes.error_nano_usd),
            usd(line.outcomes.aborted_nano_usd), line.outcomes.successes, usd(line.outcomes.per_success_nano_usd),
            usd(line.sums.saved_nano_usd), line.sums.input_tokens, line.sums.cache_read_tokens, line.sums.calls,
            line.sums.unpriced_calls,
        )
        for line in lines
    ]  # fmt: skip


def models_sheet(rows: Sequence[SumRow]) -> Sheet:
    return ("provider", "model", "cost_usd", "saved_usd", "calls", "unpriced_calls", "input_tokens", "output_tokens"), [
        (
            row.provider, row.model, usd(row.amount_nano_usd), usd(row.saved_nano_usd), row.calls, row.unpriced_calls,
            row.input_tokens, row.output_tokens,
        )
        for row in rows
    ]  # fmt: skip


def days_sheet(month: Month, found: Spending) -> Sheet:
    days = [month.first + place * _DAY for place in range(month.days)]
    return ("day", "cost_usd"), [(day.isoformat(), usd(_of_day(found, day))) for day in days]


def quarters_sheet(quarters: dict[Quarter, list[QuarterLine]]) -> Sheet:
    return ("quarter", "organisation", "revenue_usd", "spend_usd", "margin_usd"), [
        (
            quarter.key, line.tenant.slug if line.tenant else "all", usd(line.revenue_nano_usd),
            usd(line.spent_nano_usd), usd(line.margin_nano_usd),
        )
        for quarter, lines in quarters.items()
        for line in lines
    ]  # fmt: skip
