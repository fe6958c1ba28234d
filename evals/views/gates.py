"""Gates: the list, what an agent's versions must pass, one version before its gate, and the way past it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import place, question, show_refusal
from audit.types import Actor
from evals import services
from evals.gate_forms import OverrideForm, RequirementForm, WhyForm
from evals.gating import policy, showing
from evals.models import EvalSet, GateRequirement
from evals.queries import gates as queries
from evals.services.gates import Requirement
from evals.types import GateVerdictKind, SuiteMode
from tenants.access import TenantRequest
from tenants.roles import Permission

TREND = timedelta(days=90)


@require_GET
def gates(request: TenantRequest) -> HttpResponse:
    """Every agent: what its versions must pass, and where the newest stands."""
    tenant = request.access.tenant.id
    context = {
        "lines": queries.agent_gates(tenant=tenant),
        "has_sets": EvalSet.objects.filter(tenant_id=tenant, archived_at=None).exists(),
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/gates.html", context)


@require_GET
def gate_agent(request: TenantRequest, agent: str) -> HttpResponse:
    """What an agent's versions must pass, each version's gate, and its suites over time."""
    tenant = request.access.tenant.id
    found, policy_row, requirements = _agent(tenant, agent)
    lines = queries.trend(tenant=tenant, agent=agent, since=clock.now() - TREND)
    context = {
        "agent": found,
        "policy": policy_row,
        "requirements": [
            {"row": each, "asks": _asks(each), "set": each.eval_set.name, "mode": each.mode} for each in requirements
        ],
        "lines": lines,
        "figure": showing.figure(lines),
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/gate_agent.html", context)


@require_GET
def gate(request: TenantRequest, agent: str, version: str) -> HttpResponse:
    """One version before its gate: what it would say now, what it said, and who went past it."""
    tenant = request.access.tenant.id
    before = queries.before_gate(tenant=tenant, agent=agent, version=version)
    standing = queries.standing(tenant=tenant, agent=agent, version=version)
    current = before.current.version if before.current else ""
    decision = policy.decide(agent, version, current, before.grounds) if before.grounds else None
    pairs = zip(before.grounds, decision.findings if decision else (), strict=True)
    newest = standing.newest
    can_be_asked = newest is not None and newest.override is None and before.version.gate == "failed"
    context = {
        "agent": before.agent,
        "version": before.version,
        "current": current,
        "decision": decision,
        "is_met": decision is not None and decision.verdict == GateVerdictKind.PASSED,
        "suites": [showing.suite(ground, finding) for ground, finding in pairs],
        "words": standing.words,
        "newest": newest,
        "asked": newest.override if newest and newest.override and newest.override.state == "asked" else None,
        "is_mine": newest is not None and newest.override is not None and newest.override.asked_user == request.user.pk,
        "can_be_asked": can_be_asked,
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/gate.html", context)


@require_POST
def gate_decision(request: TenantRequest, agent: str, version: str) -> HttpResponse:
    """Decide now."""
    try:
        found = services.decide_gate(
            tenant=request.access.tenant.id, agent=agent, version=version, by=actor(request), at=clock.now()
        )
    except NotFound:
        raise
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        tell = messages.success if found.verdict == GateVerdictKind.PASSED else messages.warning
        tell(request, f"Decided: {GateVerdictKind(found.verdict).label.lower()}.")
    return redirect(place(request, "gate", agent=agent, version=version))


@require_POST
def starter_pack(request: TenantRequest) -> HttpResponse:
    """Add the starter pack, or bring it back as it is shipped."""
    try:
        services.add_starter_pack(tenant=request.access.tenant.id, by=actor(request), at=clock.now())
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, "The starter pack is the eval set “starter” now.")
    return redirect(place(request, "gates"))


@require_http_methods(["GET", "POST"])
def gate_override(request: TenantRequest, agent: str, version: str) -> HttpResponse:
    """GET asks why; POST asks a second person to let the version through."""
    tenant = request.access.tenant.id
    standing = queries.standing(tenant=tenant, agent=agent, version=version)
    form = OverrideForm(request.POST or None)
    here = place(request, "gate", agent=agent, version=version)
    if standing.newest is None:
        messages.error(request, "There is no verdict on what this version is now.")
        return redirect(here)
    if request.method == "POST" and form.is_valid():
        try:
            services.ask_override(
                tenant=tenant,
                verdict=standing.newest.verdict.id,
                reason=form.cleaned_data["reason"],
                user=_user(request),
                by=actor(request),
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "It waits for a second person now.")
            return redirect(here)
    context = {"form": form, "verdict": standing.newest.verdict, "action": request.path}
    return question(
        request,
        "evals/_gate_override.html",
        context,
        title=f"Let {version} through?",
        back=(here, f"{agent} {version}"),
        status=422 if form.is_bound else 200,
    )


@require_POST
def gate_override_answer(request: TenantRequest, override: uuid.UUID) -> HttpResponse:
    """Agree as the second person, or let the failure stand."""
    tenant = request.access.tenant.id
    verdict = queries.override(tenant=tenant, override=override).verdict
    agrees = request.POST.get("action") == "agree"
    write = services.agree_override if agrees else services.refuse_override
    try:
        write(tenant=tenant, override=override, user=_user(request), by=actor(request), at=clock.now())
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        told = "The version may be approved now." if agrees else "The gate's word stands."
        messages.success(request, told)
    return redirect(place(request, "gate", agent=verdict.agent, version=verdict.agent_version))


@require_http_methods(["GET", "POST"])
def gate_requirement(request: TenantRequest, agent: str) -> HttpResponse:
    """GET shows one suite that must pass (or an empty form); POST adds or changes it."""
    tenant = request.access.tenant.id
    _, _, rows = _agent(tenant, agent)
    stand = [_requirement(row) for row in rows]
    sets = list(
        EvalSet.objects.filter(tenant_id=tenant, archived_at=None).order_by("name").values_list("name", flat=True)
    )
    form = RequirementForm(request.POST or None, sets=sets, initial=_initial(request, stand))
    here = place(request, "gate-agent", agent=agent)
    if request.method == "POST" and form.is_valid():
        asked = form.requirement
        kept = [each for each in stand if (each.eval_set, each.mode) != (asked.eval_set, asked.mode)]
        if _write(request, form, agent, [*kept, asked]):
            messages.success(request, "Saved: no version is approved without it.")
            return redirect(here)
    context = {"form": form, "sets": sets, "action": request.path, "agent_name": agent}
    return question(
        request,
        "evals/_gate_requirement.html",
        context,
        title=f"What versions of {agent} must pass",
        back=(here, f"Gate of {agent}"),
        status=422 if form.is_bound else 200,
    )


@require_http_methods(["GET", "POST"])
def gate_requirement_removal(request: TenantRequest, agent: str) -> HttpResponse:
    """GET asks why; POST takes a suite out of what must pass. With the last one the gate goes."""
    tenant = request.access.tenant.id
    _, _, rows = _agent(tenant, agent)
    named = request.GET.get("set", ""), request.GET.get("mode", "")
    stand = [_requirement(row) for row in rows]
    kept = [each for each in stand if (each.eval_set, str(each.mode)) != named]
    here = place(request, "gate-agent", agent=agent)
    if len(kept) == len(stand):
        messages.error(request, "It is not asked for any more.")
        return redirect(here)
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _write(request, form, agent, kept):
        messages.success(request, "Taken out." if kept else "No gate stands before it any more.")
        return redirect(here)
    context = {
        "form": form,
        "set_name": named[0],
        "is_last": not kept,
        "agent_name": agent,
        "action": request.get_full_path(),
    }
    return question(
        request,
        "evals/_gate_removal.html",
        context,
        title=f"Ask for {named[0]} no more?",
        back=(here, f"Gate of {agent}"),
        status=422 if form.is_bound else 200,
    )


# -- what they share --------------------------------------------------------------------------------------------------


def actor(request: TenantRequest) -> Actor:
    """Staff act as staff, not as the reader that the door makes of them."""
    staff = getattr(request, "staff", None)
    found: Actor = staff.actor if staff else request.access.actor
    return found


def may_manage(request: TenantRequest) -> bool:
    staff = getattr(request, "staff", None)
    if staff:
        return bool(staff.may(Permission.STAFF_QUALITY_MANAGE))
    return request.access.may(Permission.QUALITY_MANAGE)


def _user(request: TenantRequest) -> int:
    found: int = request.user.pk
    return found


def _agent(tenant: uuid.UUID, agent: str) -> tuple[Any, Any, list[GateRequirement]]:
    found = queries.agent_named(tenant=tenant, agent=agent)
    policy_row, requirements = queries.policy(tenant=tenant, agent=agent)
    return found, policy_row, requirements


def _write(request: TenantRequest, form: Any, agent: str, asked: list[Requirement]) -> bool:
    said: dict[str, Any] = {
        "tenant": request.access.tenant.id,
        "agent": agent,
        "reason": form.cleaned_data["reason"],
        "by": actor(request),
        "at": clock.now(),
    }
    try:
        if asked:
            services.set_gate(**said, requirements=asked)
        else:
            services.remove_gate(**said)
    except DomainError as refusal:
        show_refusal(form, refusal)
        return False
    return True


def _requirement(row: GateRequirement) -> Requirement:
    return Requirement(
        eval_set=row.eval_set.name,
        mode=SuiteMode(row.mode),
        least_rate=row.least_rate,
        margin=row.margin,
        repeats=row.repeats,
    )


def _initial(request: TenantRequest, stand: list[Requirement]) -> dict[str, Any]:
    named = request.GET.get("set", ""), request.GET.get("mode", "")
    for each in stand:
        if (each.eval_set, str(each.mode)) == named:
            return {
                "set": each.eval_set,
                "mode": str(each.mode),
                "least_rate": round(each.least_rate * 100, 4),
                "margin": round(each.margin * 100, 4),
                "repeats": each.repeats,
            }
    return {}


def _asks(row: GateRequirement) -> str:
    often = f", each {row.repeats} times" if row.repeats > 1 else ""
    return f"{showing.percent(row.least_rate)} pass{often}; at most {showing.points(row.margin)} worse"
