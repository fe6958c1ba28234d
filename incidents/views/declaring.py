"""Declaring an incident: from alerts, a run, an item of the review queue, a drift finding, or from nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.ids import new_id
from agentops.common.pages import show_refusal
from agentops.common.scope import staff_scope, tenant_scope
from agentops.traces import queries as traces
from audit.types import Actor
from evals import queries as evals
from evals import services as eval_services
from incidents.forms.lifecycle import DeclareForm
from incidents.models import Alert, Incident
from incidents.policies.grouping import RULES, Alike
from incidents.queries import incidents as queries
from incidents.services import lifecycle
from incidents.views.shared import who
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import house_scope
from tenants.types import Tenant

_ALERTS_MOST = 50


@dataclass
class Draft:
    """What an incident would be declared with."""

    title: str = ""
    summary: str = ""
    alerts: list[Alert] = field(default_factory=list)
    suggested: list[tuple[Alert, Alike]] = field(default_factory=list)
    runs: list[dict[str, str]] = field(default_factory=list)
    tenants: list[uuid.UUID] = field(default_factory=list)
    agent: str = ""
    agent_version: str = ""
    tool: str = ""
    model_route: str = ""
    impact_started_at: datetime | None = None


@require_http_methods(["GET", "POST"])
def incident_new(request: StaffRequest) -> HttpResponse:
    """`?alert=` (several), `?run=&tenant=` (with `item=` of the review queue), `?finding=&tenant=`; POST declares."""
    with staff_scope():
        draft = _draft(request)
        taken = [queries.incident_of_alert(alert.id) for alert in draft.alerts] if request.method == "GET" else []
    if already := next((incident for incident in taken if incident is not None), None):
        messages.info(request, f"This alert belongs to {already.ref} already.")
        return redirect("incident", ref=already.ref)
    customers = tenants.active_tenants()
    form = DeclareForm(
        request.POST or None,
        tenants=[(tenant.slug, tenant.name) for tenant in customers],
        initial=_initial(draft, customers),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = _declared(request, form, draft, customers)
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            _note_led_to(made, request.staff.actor)
            messages.success(request, f"{made.ref} is declared. Evidence is being kept, and who must know is told.")
            return redirect("incident", ref=made.ref)
    chosen = set(request.POST.getlist("with"))
    context = {
        "form": form,
        "draft": draft,
        "suggested": [
            (alert, RULES[alike.rule], not form.is_bound or str(alert.id) in chosen) for alert, alike in draft.suggested
        ],
        "worst": min((alert.severity for alert in draft.alerts), default=None),
    }
    return TemplateResponse(request, "incidents/incident_new.html", context, status=422 if form.is_bound else 200)


def _declared(request: StaffRequest, form: DeclareForm, draft: Draft, customers: list[Tenant]) -> Incident:
    said, ids = form.cleaned_data, {tenant.slug: tenant.id for tenant in customers}
    chosen = set(request.POST.getlist("with"))
    joined = {alert.id: (alike.rule, alike.inputs) for alert, alike in draft.suggested if str(alert.id) in chosen}
    with house_scope() as house, transaction.atomic():
        return lifecycle.declare(
            tenant=house,
            title=said["title"],
            severity=int(said["severity"]) if said["severity"] else None,
            summary=said["summary"],
            alerts=[*(alert.id for alert in draft.alerts), *joined],
            rules=joined,
            runs=draft.runs,
            tenants=[ids[slug] for slug in said["tenants"]],
            agent=said["agent"],
            agent_version=said["agent_version"],
            tool=said["tool"],
            model_route=draft.model_route,
            impact_started_at=said["impact_started_at"],
            is_drill=any(tenant.is_drill for tenant in customers if tenant.slug in said["tenants"]),
            incident_id=said["incident_id"],
            by=request.staff.actor,
            at=clock.now(),
            who=who(request),
        )


def _note_led_to(made: Incident, by: Actor) -> None:
    """Tell the item of the review queue what came of it; a sweep does so where this is cut off (tasks/lifecycle.py)."""
    for run in made.runs:
        if run.get("item"):
            tenant = uuid.UUID(run["tenant"])
            with tenant_scope(tenant):
                eval_services.note_led_to(
                    tenant=tenant, item=uuid.UUID(run["item"]), kind="incident", target=made.ref, label=made.title,
                    by=by, at=clock.now(),
                )  # fmt: skip


# -- where it comes from ----------------------------------------------------------------------------------------------


def _draft(request: StaffRequest) -> Draft:
    """Raises NotFound for what is not there."""
    draft = Draft()
    wanted = [_uuid(text) for text in request.GET.getlist("alert")[:_ALERTS_MOST]]
    if wanted:
        draft.alerts = queries.alerts_called(wanted)
        if len(draft.alerts) != len(set(wanted)):
            raise NotFound("There is no such alert.")
        draft.suggested = queries.suggestions(draft.alerts)
        worst = draft.alerts[0]
        draft.title = worst.summary[:200]
        draft.tenants = [each for alert in draft.alerts for each in (alert.about_tenant, *alert.tenants) if each]
        draft.agent, draft.agent_version, draft.tool = worst.agent, worst.agent_version, worst.tool
        draft.model_route = worst.model_route
        for alert in draft.alerts:
            draft.runs += [
                {key: str(run[key]) for key in ("tenant", "run", "step") if run.get(key)}
                for run in alert.sample_runs[:5] if run.get("tenant") and run.get("run")
            ]  # fmt: skip
    runs, slugs = request.GET.getlist("run")[:_ALERTS_MOST], request.GET.getlist("tenant")
    for place, run in enumerate(runs):  # each with its organisation, or all with the one that is named
        tenant = tenants.tenant_called(slugs[min(place, len(slugs) - 1)] if slugs else "")
        _from_run(draft, tenant, _uuid(run), request.GET.get("item", ""), request.GET.get("step", ""))
    if request.GET.get("finding"):
        tenant = tenants.tenant_called(slugs[0] if slugs else "")
        _from_finding(draft, tenant, _uuid(request.GET["finding"]))
    return draft


def _from_run(draft: Draft, tenant: Tenant, run_id: uuid.UUID, item: str, step: str) -> None:
    run = traces.get_run(tenant=tenant.id, run_id=run_id)
    one = {"tenant": tenant.id.hex, "run": run_id.hex}
    if item:
        one["item"] = _uuid(item).hex
    if step and len(step) == 16 and all(letter in "0123456789abcdef" for letter in step):
        one["step"] = step
    draft.runs.append(one)
    draft.tenants.append(tenant.id)
    draft.title = draft.title or f"{run.agent or 'An agent'} of {tenant.name}: "[:200]
    draft.agent, draft.agent_version = draft.agent or run.agent, draft.agent_version or run.agent_version
    draft.impact_started_at = min(draft.impact_started_at or run.started_at, run.started_at)


def _from_finding(draft: Draft, tenant: Tenant, finding_id: uuid.UUID) -> None:
    finding = evals.findings.finding(tenant=tenant.id, finding=finding_id)
    draft.title = f"{finding.agent} of {tenant.name}: {finding.sentence}"[:200]
    draft.tenants.append(tenant.id)
    draft.agent = finding.agent
    draft.runs += [{"tenant": tenant.id.hex, "run": run.hex} for run in finding.worst_runs[:10]]


def _initial(draft: Draft, customers: list[Tenant]) -> dict[str, Any]:
    hit = set(draft.tenants)
    return {
        "title": draft.title,
        "severity": "",
        "tenants": [tenant.slug for tenant in customers if tenant.id in hit],
        "agent": draft.agent,
        "agent_version": draft.agent_version,
        "tool": draft.tool,
        "impact_started_at": draft.impact_started_at,
        "incident_id": new_id(),
    }


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise NotFound("The address names something that there is not.") from error
