"""Incidents: the list, one with what it needs next, and the proof of its kill switches."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.catalog import queries as catalog
from agentops.common import clock, paging
from agentops.common.pages import older_url, page_or_fragment
from agentops.portal.templatetags.words import ago, duration
from agentops.runtime import queries as runtime
from agentops.runtime.presenting import proof_figures
from incidents import states
from incidents.forms.lifecycle import SeverityForm, WatchForm
from incidents.links import link
from incidents.models import Alert, Incident, Runbook
from incidents.policies.learning import LAST_HARM, MAY_STAY, Clock
from incidents.queries import incidents as queries
from incidents.queries import oncall, runbooks
from incidents.queries.incidents import IncidentFilter
from incidents.queries.named import incident_called
from incidents.queries.postmortem_facts import clocks_of
from incidents.queries.standing import Standing, standing
from incidents.runbooks import reading
from incidents.services.roles import ABLE
from incidents.types import AlertClass, IncidentRoleName, IncidentStatus, PageAction, Severity
from incidents.views.shared import who
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.roles import Permission, StaffRole
from tenants.types import Tenant

ROWS = 50
STATES = [("open", "Open"), ("over", "Over"), ("all", "All")]
SWITCHES_SHOWN = 5
_S = IncidentStatus
_GO = {
    _S.ACTIVE: "Take it up: active",
    _S.CONTAINED: "It is contained",
    _S.IDENTIFIED: "The cause is known",
    _S.FIX_IN_REVIEW: "Have the fix reviewed",
    _S.WATCHING: "The fix is deployed: watch it",
    _S.RESOLVED: "It is resolved",
    _S.CLOSED: "It is closed",
}


@require_GET
def incidents(request: StaffRequest) -> HttpResponse:
    """The list; for htmx its rows alone."""
    customers = tenants.active_tenants()
    asked = {name: request.GET.get(name, "") for name in ("state", "severity", "tenant", "q", "drills")}
    asked["state"] = asked["state"] if asked["state"] in dict(STATES) else "open"
    by_slug = {tenant.slug: tenant for tenant in customers}
    wanted = IncidentFilter(
        state=asked["state"],
        severity=int(asked["severity"]) if asked["severity"] in ("1", "2", "3") else None,
        tenant=by_slug[asked["tenant"]].id if asked["tenant"] in by_slug else None,
        text=asked["q"][:200],
        is_drill={"no": False, "only": True}.get(asked["drills"]),
    )
    cursor = paging.cursor(request.GET)
    page = queries.incidents(wanted=wanted, at=clock.now(), cursor=cursor, limit=ROWS)
    here = reverse("staff-incidents")
    names = tenants.tenants_by_id({each for line in page.rows for each in line.incident.tenants})
    query = urlencode({name: value for name, value in asked.items() if value})
    context = {
        "asked": asked,
        "here": here,
        "states": STATES,
        "severities": [(str(each.value), each.label) for each in Severity],
        "organisations": [(tenant.slug, tenant.name) for tenant in customers],
        "drills": [("no", "Without drills"), ("only", "Drills alone")],
        "rows": [(line, _organisations(line.incident, names)) for line in page.rows],
        "is_filtered": any(asked[name] for name in ("severity", "tenant", "q", "drills")) or asked["state"] != "open",
        "newer_url": f"{here}?{query}" if cursor else "",
        "older_url": older_url(here, query, page.next.encode() if page.next else ""),
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }
    return page_or_fragment(request, "incidents/incidents.html", "incidents/_incidents.html", context)


@require_GET
def incident(request: StaffRequest, ref: str) -> HttpResponse:
    """One incident: at SEV-1 first what stops it, the checklist and who is paged; then what it needs next."""
    found, at = incident_called(ref), clock.now()
    stands = standing(found)
    alerts = queries.alerts_of(found.id)
    names = tenants.tenants_by_id(found.tenants)
    roles = queries.roles_of(found.id)
    is_open = found.status in states.NOT_OVER
    context: dict[str, Any] = {
        "incident": found,
        "stands": stands,
        "is_open": is_open,
        "is_first": found.severity == Severity.SEV1 and found.status in states.OPEN,
        "alerts": [(place, alert, link("staff-alert", alert=alert.id)) for place, alert in alerts],
        "suggested": queries.suggestions([alert for _, alert in alerts], incident=found.id) if is_open else [],
        "organisations": [names[each] for each in found.tenants if each in names],
        "runs": run_links(found, names),
        "clocks": _clocks(found, at),
        "steps": _steps(found),
        "severities": queries.severities_of(found.id),
        "parts": queries.parts_of(found.id),
        **_next(request, found, stands),
        **_kill(found, names),
        **_people(request, found, roles, at, [found.id, *(alert.id for _, alert in alerts)]),
        **_checklist(found, [alert for _, alert in alerts]),
        **_may(request),
    }
    if is_open:
        context["severity_form"] = SeverityForm(initial={"severity": str(found.severity)}, auto_id="severity_%s")
        context["others"] = queries.others_open(found.id)
    return TemplateResponse(request, "incidents/incident.html", context)


@require_GET
def incident_proof(request: StaffRequest, ref: str) -> HttpResponse:
    """What the kill switches of an incident have done up to now; asked for again every few seconds."""
    found = incident_called(ref)
    switches = standing(found).switches
    names = tenants.tenants_by_id({each.about_tenant for each in switches if each.about_tenant})
    product = (
        {each.id: each for each in runtime.product_switches()} if any(not s.about_tenant for s in switches) else {}
    )
    proofs = []
    for each in switches[:SWITCHES_SHOWN]:
        if each.about_tenant:
            switch: Any = runtime.switch(tenant=each.about_tenant, switch_id=each.switch_id)
            figures = proof_figures(runtime.proof(switch), switch.mode)
        else:
            switch = product.get(each.switch_id)
            figures = proof_figures(runtime.product_proof(switch), switch.mode) if switch else []
        proofs.append({
            "noted": each, "tenant": names.get(each.about_tenant) if each.about_tenant else None, "switch": switch, "figures": figures,
            "is_on": switch is not None and switch.lifted_at is None,
        })  # fmt: skip
    context = {"incident": found, "proofs": proofs, "more": max(len(switches) - SWITCHES_SHOWN, 0)}
    return page_or_fragment(request, "incidents/proof.html", "incidents/_proof.html", context)


# -- parts ------------------------------------------------------------------------------------------------------------


def run_links(found: Incident, names: dict[uuid.UUID, Tenant]) -> list[dict[str, str]]:
    """The runs that it was declared with, each at its step."""
    links = []
    for run in found.runs[: queries.SHOWN_MOST]:
        tenant = names.get(uuid.UUID(run["tenant"]))
        if tenant is None:
            continue
        url = link("staff-tenant-run", slug=tenant.slug, run_id=run["run"])
        links.append({
            "name": run["run"][24:], "tenant": tenant.name, "slug": tenant.slug, "hex": run["run"],
            "url": f"{url}?span={run['step']}" if run.get("step") else url,
        })  # fmt: skip
    return links


def _organisations(found: Incident, names: dict[uuid.UUID, Tenant]) -> str:
    known = [names[each].name for each in found.tenants if each in names]
    more = f" and {len(known) - 2} more" if len(known) > 2 else ""
    return ", ".join(known[:2]) + more


def _may(request: StaffRequest) -> dict[str, bool]:
    return {
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
        "may_command": request.staff.may(Permission.STAFF_COMMAND),
        "may_kill": request.staff.may(Permission.STAFF_KILL),
    }


def _next(request: StaffRequest, found: Incident, stands: Standing) -> dict[str, Any]:
    """The next step, what is missing for it, and which other ways there are."""
    target = states.following(found.status)
    needs = stands.unmet(target) if target else []
    capacity = who(request)
    return {
        "target": target,
        "go_word": _GO.get(target, "") if target else "",
        "needs": [(need.sentence, link(need.page, ref=found.ref)) for need in needs],
        "is_for_commander": bool(target) and states.needs_commander(found.status, str(target)),
        "may_go": bool(target and states.may_become(found.status, target, capacity)),
        "may_reopen": found.status != _S.TRIAGE and bool(states.may_become(found.status, _S.ACTIVE, capacity)),
        "may_cancel": bool(states.may_become(found.status, _S.CANCELLED, capacity)),
        "may_merge": bool(states.may_become(found.status, _S.MERGED, capacity)),
        "watch_form": WatchForm() if target == _S.WATCHING else None,
    }


def _kill(found: Incident, names: dict[uuid.UUID, Tenant]) -> dict[str, Any]:
    """What a switch of this incident would stop, and where none reaches the agent: it is not registered there."""
    held = catalog.tenants_with_agent(name=found.agent, among=list(names)) if found.agent else set()
    known = [names[each].name for each in found.tenants if each in names and (not held or each in held)]
    unheld = [names[each].name for each in found.tenants if each in names and each not in held] if found.agent else []
    where = known[0] if len(known) == 1 else f"{len(known)} organisations"
    what = "agents" if not known else f"{found.agent if held else 'all agents'} of {where}"
    return {"kill_what": what, "kill_misses": unheld}


def _people(
    request: StaffRequest, found: Incident, roles: list[Any], at: datetime, subjects: list[uuid.UUID]
) -> dict[str, Any]:
    held = {role.role: role for role in roles}
    mine = request.staff.roles
    staff = tenants.staff_with_roles(list(StaffRole)) if found.status in states.NOT_OVER else []
    return {
        "roles": [
            {"role": role, "held": held.get(role), "may_take": bool(mine & ABLE[role])
             and (held.get(role) is None or held[role].user_id != request.user.pk)}
            for role in IncidentRoleName
        ],
        "staff": staff,
        "on_call": oncall.on_call_now(at=at),
        "pages": [page for page in queries.pages_of(subjects) if page.action == PageAction.TRIGGER],
    }  # fmt: skip


def _checklist(found: Incident, alerts: list[Alert]) -> dict[str, Any]:
    """The runbook of the worst alert: its first steps; ticked on its own page."""
    book: Runbook | None = runbooks.runbook_for(AlertClass(alerts[0].alert_class)) if alerts else None
    return {
        "runbook": book,
        "checklist": reading.steps(book.body) if book else [],
        "runbook_url": link("incident-runbook", ref=found.ref),
    }


def _steps(found: Incident) -> list[dict[str, Any]]:
    """The straight way, with where it stands."""
    place = states.CHAIN.index(_S(found.status)) if found.status in states.CHAIN else -1
    return [
        {"label": status.label, "is_done": place >= 0 and index < place, "is_now": index == place}
        for index, status in enumerate(states.CHAIN)
    ]


def _clocks(found: Incident, at: datetime) -> list[dict[str, Any]]:
    """The clocks that the postmortem tells, too; what has not happened yet runs on."""
    return [_clock(each, found, at) for each in clocks_of(found)]


def _clock(clock_: Clock, found: Incident, at: datetime) -> dict[str, Any]:
    if clock_.label == LAST_HARM:
        tone = "bad" if _is_after(found) else ""
        value = ago(found.last_harm_at) if found.last_harm_at else "–"
        return {"label": clock_.label, "value": value, "note": _after_containment(found), "tone": tone}
    if clock_.at is not None:
        value = "–" if clock_.took is None else duration(clock_.took)
        return {"label": clock_.label, "value": value, "note": f"at {clock_.at:%-d %b %H:%M:%S} UTC"}
    is_running = clock_.label not in MAY_STAY and clock_.since is not None and found.status in states.OPEN
    value = duration(at - clock_.since) if is_running and clock_.since else "–"
    return {"label": clock_.label, "value": value, "note": "not yet", "tone": "warn" if is_running else ""}


def _is_after(found: Incident) -> bool:
    return bool(found.last_harm_at and found.contained_at and found.last_harm_at > found.contained_at)


def _after_containment(found: Incident) -> str:
    if found.last_harm_at is None:
        return "none is known"
    if found.contained_at is None:
        return "not contained yet"
    return "after it was said to be contained" if _is_after(found) else "before it was contained"
