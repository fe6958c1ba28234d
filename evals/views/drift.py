"""Drift: what moved beyond noise, one finding closer, and noting that somebody has seen it."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock, paging
from agentops.common.pages import older_url, page_or_fragment, place
from evals import queries, services
from evals.drifting.sentences import NOUNS, figure
from evals.drifting.sums import is_worse
from evals.models import DriftFinding
from evals.statistics.sampletests import size_in_words
from evals.types import Dimension, DriftKind, Metric
from evals.views import drift_figures as figures
from tenants.access import TenantRequest
from tenants.roles import Permission

ROWS = 50
_BEFORE_CHART, _AFTER_CHART = 28, 7  # days around a finding that its figure shows
_SLIDE_WEEKS = 26


@require_GET
def drift(request: TenantRequest) -> HttpResponse:
    """The list; for htmx its rows alone."""
    asked = {
        "state": request.GET.get("state", "open"),
        "agent": request.GET.get("agent", ""),
        "kind": _known(request.GET.get("kind", ""), DriftKind.values),
        "metric": _known(request.GET.get("metric", ""), Metric.values),
    }
    page = queries.findings.findings(
        tenant=request.access.tenant.id,
        is_open={"open": True, "ended": False}.get(asked["state"]),
        agent=asked["agent"] or None,
        kind=asked["kind"],
        metric=asked["metric"],
        after=paging.cursor(request.GET),
        most=ROWS,
    )
    here = place(request, "drift")
    params = request.GET.copy()
    params.pop("cursor", None)
    context = {
        "asked": asked,
        "here": here,
        "states": [("open", "Open"), ("ended", "Over"), ("all", "All")],
        "kinds": DriftKind.choices,
        "metrics": Metric.choices,
        "rows": [_row(request, one) for one in page.rows],
        "is_filtered": any(asked[name] for name in ("agent", "kind", "metric")) or asked["state"] != "open",
        "newer_url": f"{here}?{params.urlencode()}" if request.GET.get("cursor") else "",
        "older_url": older_url(here, params.urlencode(), page.next.encode() if page.next else ""),
    }
    return page_or_fragment(request, "evals/drift.html", "evals/_drift_rows.html", context)


@require_GET
def drift_finding(request: TenantRequest, finding: uuid.UUID) -> HttpResponse:
    found = queries.findings.finding(tenant=request.access.tenant.id, finding=finding)
    metric = Metric(found.metric)
    context = {
        "found": found,
        "noun": NOUNS[metric],
        "tone": _tone(found),
        "size": size_in_words(found.effect, is_mix=metric == Metric.TOOL_MIX),
        "sides": [_side(metric, "Before", found.before), _side(metric, "After", found.after)],
        "mix": _mix(found),
        "cause": Dimension(found.cause).label if found.cause else "",
        "cohort": _cohort(found),
        "worst_cohorts": [
            (Dimension(dimension).label, value, effect) for dimension, value, effect in found.after.get("worst", [])
        ],
        "runs": queries.quality.judged_runs(tenant=found.tenant_id, runs=found.worst_runs),
        "compare_url": _compare_url(request, found),
        "is_slide": found.kind == DriftKind.SLIDE,
        "may_see": request.access.may(Permission.QUALITY_LABEL) or _may_as_staff(request),
        "see_url": place(request, "drift-finding-seen", finding=found.id),
        **_course(found, metric),
    }
    return TemplateResponse(request, "evals/drift_finding.html", context)


@require_POST
def drift_finding_seen(request: TenantRequest, finding: uuid.UUID) -> HttpResponse:
    staff = getattr(request, "staff", None)
    services.drift.mark_seen(
        tenant=request.access.tenant.id,
        finding=finding,
        by=staff.actor if staff else request.access.actor,
        at=clock.now(),
    )
    return HttpResponseRedirect(place(request, "drift-finding", finding=finding))


# -- parts ------------------------------------------------------------------------------------------------------------


def _row(request: TenantRequest, found: DriftFinding) -> dict[str, Any]:
    metric = Metric(found.metric)
    before, after = found.before.get("mean"), found.after.get("mean")
    return {
        "found": found,
        "url": place(request, "drift-finding", finding=found.id),
        "metric": metric.label,
        "kind": DriftKind(found.kind).label,
        "tone": _tone(found),
        "size": size_in_words(found.effect, is_mix=metric == Metric.TOOL_MIX),
        "change": f"{figure(metric, before)} → {figure(metric, after)}"
        if before is not None and after is not None and found.kind != DriftKind.SLIDE
        else "",
        "cause": Dimension(found.cause).label if found.cause else "",
    }


def _tone(found: DriftFinding) -> str:
    if found.metric == Metric.TOOL_MIX:
        return "changed"
    return "worse" if is_worse(Metric(found.metric), found.effect) else "better"


def _side(metric: Metric, label: str, side: dict[str, Any]) -> dict[str, Any]:
    shown = {"label": label, "value": side.get("value", ""), "from": _day(side.get("from")), "until": _day(side.get("until")),
             "n": side.get("n", 0), "runs": side.get("runs", 0)}  # fmt: skip
    if "mean" in side:
        shown["text"] = figure(metric, side["mean"])
        shown["interval"] = f"{figure(metric, side['low'])} to {figure(metric, side['high'])}"
    return shown


def _mix(found: DriftFinding) -> list[tuple[str, float, float]]:
    before, after = found.before.get("mix", {}), found.after.get("mix", {})
    names = sorted(before.keys() | after.keys(), key=lambda name: -abs(after.get(name, 0) - before.get(name, 0)))
    return [(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names]


def _cohort(found: DriftFinding) -> str:
    if found.dimension == Dimension.ALL:
        return "All runs"
    return f"{Dimension(found.dimension).label} {found.value}"


def _course(found: DriftFinding, metric: Metric) -> dict[str, Any]:
    """The metric around what happened: the old and the new value beside each other, or one line."""
    begin = _day(found.after.get("from"))
    if begin is None or metric == Metric.TOOL_MIX:
        return {}
    is_slide = found.kind == DriftKind.SLIDE
    back = timedelta(weeks=_SLIDE_WEEKS) if is_slide else timedelta(days=_BEFORE_CHART)
    last = _day(found.after.get("until")) or begin
    until = min(clock.now().date(), last + timedelta(days=_AFTER_CHART)) + timedelta(days=1)
    since = begin - back
    dimension = Dimension(found.dimension)
    values = list(dict.fromkeys([found.before.get("value", ""), found.value]))
    days = queries.drift.cohort_days(
        tenant=found.tenant_id,
        agent=found.agent,
        since=since,
        until=max(until, begin + timedelta(days=1)),
        dimensions=[dimension],
    )
    series = [
        (
            value or found.agent,
            figures.points(days.get((found.agent, dimension, value), {}), metric, since=since, until=until),
        )
        for value in values
    ]
    series = [(name, line) for name, line in series if line]
    return {
        "figure": figures.over_time(series, metric, marked=begin) if series else None,
        "tables": [(name, figures.table(metric, line)) for name, line in series],
    }


def _compare_url(request: TenantRequest, found: DriftFinding) -> str:
    query = {"agent": found.agent}
    if found.kind == DriftKind.STEP:
        query |= {"dimension": found.dimension, "a": found.before.get("value", ""), "b": found.value}
    else:
        query |= {"date": found.after.get("from", "")}
    return f"{place(request, 'quality-compare')}?{urlencode(query)}"


def _may_as_staff(request: TenantRequest) -> bool:
    staff = getattr(request, "staff", None)
    return staff is not None and staff.may(Permission.STAFF_QUALITY_LABEL)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _known(text: str, values: list[str]) -> str:
    return text if text in values else ""
