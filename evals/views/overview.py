"""How good the agents are, and two cohorts beside each other."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.pages import place
from evals import queries
from evals.drifting.sums import LEAST, MEASURED, Sums, compare, compare_tools, is_worse, total
from evals.queries.quality import AgentQuality
from evals.statistics.sampletests import size_in_words
from evals.types import Dimension, Metric
from evals.views import drift_figures as figures
from evals.views.drift_figures import Point
from tenants.access import TenantRequest

PERIODS = {"7": "7 days", "28": "28 days", "90": "90 days", "364": "A year"}
_DEFAULT = "28"
_TRENDS = (
    (Metric.SCORE, "How do judges score it?", "Mean of judged runs, weighted by how likely each was to be judged."),
    (Metric.FEEDBACK, "How many say it was good?", "Share of thumbs up."),
    (Metric.REFUSALS, "How often does it refuse?", "Share of all runs."),
    (Metric.PASS_RATE, "How many eval cases pass?", "Share of cases of suites that ran."),
)  # fmt: skip
_COLUMNS = (Metric.SCORE, Metric.PASS_RATE, Metric.REFUSALS, Metric.ERRORS, Metric.FEEDBACK)


@require_GET
def quality(request: TenantRequest) -> HttpResponse:
    """All agents of a period, and one of them closer."""
    tenant = request.access.tenant.id
    days, since, until = _period(request)
    found = queries.quality.agents(tenant=tenant, since=since, until=until)
    chosen = _chosen(request, found)
    context = {
        "periods": [
            {"label": label, "url": _here(request, days=key), "is_current": key == days}
            for key, label in PERIODS.items()
        ],
        "period": PERIODS[days].lower(),
        "rows": [
            {
                "one": one,
                "url": _here(request, days=days, agent=one.agent) + "#agent",
                "is_chosen": one is chosen,
                "cells": [figures.cell(metric, one.sums) for metric in _COLUMNS],
            }
            for one in found
        ],
        "columns": [metric.label for metric in _COLUMNS],
        **(_closer(request, chosen, since, until) if chosen else {}),
    }
    return TemplateResponse(request, "evals/quality.html", context)


@require_GET
def compare_cohorts(request: TenantRequest) -> HttpResponse:
    """Every metric of two values of a dimension, or of the days before and after a date."""
    tenant = request.access.tenant.id
    days, since, until = _period(request)
    names = [one.agent for one in queries.quality.agents(tenant=tenant, since=since, until=until)]
    agent = request.GET.get("agent", names[0] if names else "")
    dimension = _dimension(request)
    date_text = request.GET.get("date", "")
    values: list[str] = []
    sides: list[tuple[str, Sums]] = []
    if date_text:
        sides = _around(tenant, agent, _date(date_text), since, until)
    else:
        by_value = queries.quality.by_value(tenant=tenant, agent=agent, dimension=dimension, since=since, until=until)
        values = [value for value, _ in by_value]
        picked = [request.GET.get(name) or None for name in ("a", "b")]
        chosen = _picked(picked, values)
        sides = [(value, dict(by_value).get(value, Sums())) for value in chosen]
    context = {
        "agent": agent,
        "agents": [(name, name or "without a name") for name in names],
        "dimension": dimension.value,
        "dimensions": [(one.value, one.label) for one in Dimension if one != Dimension.ALL],
        "days": days,
        "periods": list(PERIODS.items()),
        "values": [(value, value) for value in values],
        "sides": sides,
        "a": sides[0][0] if sides else "",
        "b": sides[1][0] if len(sides) == 2 else "",
        "date": date_text,
        "rows": [_compared(metric, sides[0][1], sides[1][1]) for metric in Metric] if len(sides) == 2 else [],
    }
    return TemplateResponse(request, "evals/quality_compare.html", context)


# -- one agent --------------------------------------------------------------------------------------------------------


def _closer(request: TenantRequest, one: AgentQuality, since: date, until: date) -> dict[str, Any]:
    trends = []
    for metric, question, sentence in _TRENDS:
        line = figures.points(one.days, metric, since=since, until=until)
        if line:
            trends.append(_trend(metric, question, sentence, line))
    versions = queries.quality.by_value(
        tenant=request.access.tenant.id, agent=one.agent, dimension=Dimension.AGENT_VERSION, since=since, until=until
    )
    compare_url = place(request, "quality-compare") + "?" + urlencode({"agent": one.agent})
    return {
        "chosen": one,
        "trends": trends,
        "versions": [
            {"value": value, "runs": sums.runs, "cells": [figures.cell(metric, sums) for metric in _COLUMNS]}
            for value, sums in versions
        ],
        "compare_url": compare_url,
        "drift_url": place(request, "drift") + "?" + urlencode({"agent": one.agent}),
    }


def _trend(metric: Metric, question: str, sentence: str, line: list[Point]) -> dict[str, Any]:
    return {
        "id": f"trend-{metric.value}".replace("_", "-"),
        "question": question,
        "sentence": f"{sentence} Bars: 95 % intervals.",
        "figure": figures.over_time([(metric.label, line)], metric),
        "table": figures.table(metric, line),
    }


def _chosen(request: HttpRequest, found: list[AgentQuality]) -> AgentQuality | None:
    name = request.GET.get("agent")
    if name is None:
        return found[0] if found else None
    return next((one for one in found if one.agent == name), None)


# -- two cohorts ------------------------------------------------------------------------------------------------------


def _around(tenant: Any, agent: str, at: date, since: date, until: date) -> list[tuple[str, Sums]]:
    """As many days after as before, within the period's length."""
    length = until - since
    days = queries.drift.cohort_days(
        tenant=tenant, agent=agent, since=at - length, until=at + length, dimensions=[Dimension.ALL]
    ).get((agent, Dimension.ALL, ""), {})
    return [
        (f"before {at.isoformat()}", total(sums for day, sums in days.items() if day < at)),
        (f"from {at.isoformat()} on", total(sums for day, sums in days.items() if day >= at)),
    ]


def _picked(asked: list[str | None], values: list[str]) -> list[str]:
    """What was asked for where there is such a value, else the largest that is left."""
    first, second = (value if value in values else None for value in asked)
    first = first or next((value for value in values if value != second), None)
    second = second if second != first else None
    second = second or next((value for value in values if value != first), None)
    return [value for value in (first, second) if value is not None]


def _compared(metric: Metric, one: Sums, other: Sums) -> dict[str, Any]:
    row: dict[str, Any] = {"label": metric.label, "least": LEAST[metric]}
    if metric == Metric.TOOL_MIX:
        mix = compare_tools(one, other)
        row |= {"a": {"n": one.runs}, "b": {"n": other.runs}, "is_mix": True}
        if mix:
            row |= {
                "moved": [(name, f"{a:.0%}", f"{b:.0%}") for name, a, b in mix.moved[:4]],
                "effect": mix.effect,
                "words": size_in_words(mix.effect, is_mix=True),
                "p": _chance(mix.p),
            }
        return row
    row |= {"a": figures.cell(metric, one), "b": figures.cell(metric, other)}
    found = compare(metric, one, other)
    if found is None:
        return row
    assert metric in MEASURED
    return row | {
        "difference": _difference(metric, found.difference),
        "low": _difference(metric, found.low),
        "high": _difference(metric, found.high),
        "effect": found.effect,
        "words": size_in_words(found.effect),
        "p": _chance(found.p),
        "is_clear": found.low > 0 or found.high < 0,
        "is_worse": is_worse(metric, found.difference),
    }


def _difference(metric: Metric, value: float) -> str:
    if metric in (Metric.TOKENS, Metric.COST):  # a difference of logarithms is a factor
        return f"×{2.718281828459045 ** max(-30.0, min(30.0, value)):.2f}"
    if metric == Metric.SCORE:
        return f"{value:+.3f}"
    return f"{value * 100:+.1f} points"


def _chance(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


# -- what was asked ---------------------------------------------------------------------------------------------------


def _period(request: HttpRequest) -> tuple[str, date, date]:
    """The period's key, its first day and the day after its last, which is today (UTC)."""
    key = request.GET.get("days", "")
    key = key if key in PERIODS else _DEFAULT
    until = clock.now().astimezone(UTC).date() + timedelta(days=1)
    return key, until - timedelta(days=int(key)), until


def _dimension(request: HttpRequest) -> Dimension:
    text = request.GET.get("dimension", "")
    known = {one.value: one for one in Dimension if one != Dimension.ALL}
    return known.get(text, Dimension.AGENT_VERSION)


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year <= 2200:
        problem = InputProblem("/date", "invalid", "is a day such as 2026-11-25")
        raise InvalidInput("That is no day.", problems=(problem,))
    return found


def _here(request: TenantRequest, **query: str) -> str:
    return f"{place(request, 'quality')}?{urlencode(query)}"
