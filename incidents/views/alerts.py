"""Alerts: the list, one of them, and what people answer to it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock, paging
from agentops.common.pages import older_url, page_or_fragment
from incidents import presenting_alerts as presenting
from incidents.forms.alerts import known
from incidents.models import Alert
from incidents.queries import alerts as queries
from incidents.queries.runbooks import runbook_for
from incidents.queries.samples import samples_of
from incidents.services import alerts as services
from incidents.types import AlertClass, AlertVerdict, Severity
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission

ROWS = 50
STATES = [("open", "Open"), ("ended", "Ended"), ("unjudged", "Ended without a verdict"), ("all", "All")]


@require_GET
def alerts(request: StaffRequest) -> HttpResponse:
    """The list; for htmx its rows alone."""
    organisations = {tenant.slug: tenant for tenant in tenants.all_tenants()}
    asked = {
        "state": known(request.GET.get("state", ""), dict(STATES)) or "open",
        "class": known(request.GET.get("class", ""), AlertClass.values),
        "severity": known(request.GET.get("severity", ""), [str(each) for each in Severity.values]),
        "organisation": known(request.GET.get("organisation", ""), organisations),
    }
    page = queries.alerts(
        is_open={"open": True, "ended": False, "unjudged": False}.get(asked["state"]),
        is_judged=False if asked["state"] == "unjudged" else None,
        alert_class=asked["class"],
        severity=int(asked["severity"]) if asked["severity"] else None,
        about=organisations[asked["organisation"]].id if asked["organisation"] else None,
        after=paging.cursor(request.GET),
        most=ROWS,
    )
    names = {tenant.id: tenant for tenant in organisations.values()}
    here = reverse("staff-alerts")
    params = request.GET.copy()
    params.pop("cursor", None)
    context = {
        "asked": asked,
        "here": here,
        "states": STATES,
        "classes": AlertClass.choices,
        "severities": Severity.choices,
        "organisations": [(tenant.slug, tenant.name) for tenant in organisations.values() if tenant.id != HOUSE_ID],
        "rows": [presenting.row(one, names) for one in page.rows],
        "is_filtered": any(asked[name] for name in ("class", "severity", "organisation")) or asked["state"] != "open",
        "newer_url": f"{here}?{params.urlencode()}" if request.GET.get("cursor") else "",
        "older_url": older_url(here, params.urlencode(), page.next.encode() if page.next else ""),
    }
    return page_or_fragment(request, "incidents/alerts.html", "incidents/_alert_rows.html", context)


@require_GET
def alert(request: StaffRequest, alert: uuid.UUID) -> HttpResponse:
    """One of them, with the runs that show it."""
    found = queries.alert_of(alert)
    samples = samples_of(found)
    names = tenants.tenants_by_id({*found.tenants, *([found.about_tenant] if found.about_tenant else [])})
    looks = queries.occurrences(found)
    source_url, source_label = presenting.source_url(found, names)
    context = {
        "alert": found,
        "class": AlertClass(found.alert_class).label,
        "about": presenting.about(found, names),
        "meaning": presenting.meaning(found),
        "figures": presenting.figures(found),
        "details": presenting.details(found),
        "samples": presenting.sample_rows(samples, names),
        "figure": presenting.course(found, looks) if len(looks) > 1 else None,
        "looks": [(each.at, presenting.number(each.value), presenting.number(each.threshold)) for each in looks[::-1]][
            :50
        ],
        "tenants": [names[each] for each in found.tenants if each in names],
        "source_url": source_url,
        "source_label": source_label,
        "kill_switch_url": presenting.kill_switch_url(found, names),
        "runbook": runbook_for(AlertClass(found.alert_class)),
        "verdicts": AlertVerdict.choices,
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
        "may_kill": request.staff.may(Permission.STAFF_KILL),
    }
    return TemplateResponse(request, "incidents/alert.html", context)


@require_POST
def alert_acknowledgement(request: StaffRequest, alert: uuid.UUID) -> HttpResponse:
    found = services.acknowledge_alert(tenant=HOUSE_ID, alert_id=alert, by=request.staff.actor, at=clock.now())
    messages.success(request, f"{found.acknowledged_by} has it.")
    return _back(found)


@require_POST
def alert_verdict(request: StaffRequest, alert: uuid.UUID) -> HttpResponse:
    found = services.give_verdict(
        tenant=HOUSE_ID,
        alert_id=alert,
        verdict=request.POST.get("verdict", ""),
        note=request.POST.get("note", "").replace("\r\n", "\n").strip(),
        by=request.staff.actor,
        at=clock.now(),
    )
    messages.success(request, f"Verdict: {AlertVerdict(found.verdict).label.lower()}.")
    return _back(found)


@require_POST
def alert_resolution(request: StaffRequest, alert: uuid.UUID) -> HttpResponse:
    found = services.resolve_alert(tenant=HOUSE_ID, alert_id=alert, by=request.staff.actor, at=clock.now())
    messages.success(request, "It is over. Seen again within 30 minutes, it opens again.")
    return _back(found)


@require_GET
def precision(request: StaffRequest) -> HttpResponse:
    """How often each detector was right in a month."""
    now = clock.now()
    since = _month(request.GET.get("month", ""), now)
    until = (since + timedelta(days=32)).replace(day=1)
    rows = queries.precision(since=since, until=until)
    context = {
        "rows": rows,
        "month": since,
        "months": [(f"{month:%Y-%m}", f"{month:%B %Y}") for month in _months(now)],
        "chosen": f"{since:%Y-%m}",
        "here": reverse("staff-alert-precision"),
        "unjudged": sum(row.unjudged for row in rows),
    }
    return TemplateResponse(request, "incidents/alert_precision.html", context)


def _month(text: str, now: datetime) -> datetime:
    months = _months(now)
    return next((month for month in months if f"{month:%Y-%m}" == text), months[0])


def _months(now: datetime) -> list[datetime]:
    """The present month, and the eleven before it."""
    months = [now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
    while len(months) < 12:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def _back(found: Alert) -> HttpResponse:
    return redirect("staff-alert", alert=found.id)
