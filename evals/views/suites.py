"""Suite runs: the list, one with each case and what its expectations said, one case; where agents answer."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock, paging
from agentops.common.errors import DomainError
from agentops.common.pages import older_url, place, show_refusal
from agentops.portal.templatetags.words import ago, count, duration_text, money
from evals import queries, services
from evals.forms.sets import EndpointForm, SuiteForm
from evals.models import CaseRun
from evals.sets import cases
from evals.types import Runner, SuiteMode, SuiteState
from evals.views.sets import is_change
from evals.views.shared import actor, may_manage
from tenants.access import TenantRequest

_NAMES = ("agent", "version", "set")


@require_http_methods(["GET", "POST"])
def suite_runs(request: TenantRequest) -> HttpResponse:
    """Every suite run, the newest first; POST begins one at an agent's address."""
    tenant = request.access.tenant.id
    endpoints = queries.agent_endpoints(tenant=tenant)
    sets = [each.name for each in queries.eval_sets(tenant=tenant) if each.cases]
    agents = [each.agent for each in endpoints]
    form = SuiteForm(request.POST if request.method == "POST" else None, agents=agents, sets=sets)
    if is_change(request) and form.is_valid():
        said = form.cleaned_data
        asked = services.Asked(**{**said, "mode": SuiteMode(said["mode"])})
        try:
            made = services.begin_suite_run(
                tenant=tenant, asked=asked, runner=Runner.ENDPOINT, trigger="person", by=actor(request), at=clock.now()
            )
            return redirect(place(request, "suite-run", suite_run=made.id))
        except DomainError as refusal:
            show_refusal(form, refusal)
    said = {name: request.GET.get(name, "")[:100].replace("\0", "") for name in _NAMES}
    page = queries.suite_runs(tenant=tenant, **_named(said), cursor=paging.cursor(request.GET), limit=50)
    query = urlencode({name: text for name, text in said.items() if text})
    context = {
        "rows": page.rows,
        "said": said,
        "is_filtered": any(said.values()),
        "older_url": older_url(request.path, query, page.next.encode() if page.next else ""),
        "newer_url": f"{request.path}?{query}" if request.GET.get("cursor") else "",
        "form": form,
        "can_begin": bool(agents and sets) and may_manage(request),
        "endpoints": endpoints,
        "may_manage": may_manage(request),
        "command": "python -m agentops_client.evals run --agent NAME --version VERSION --set SET --call my_agent:call",
    }
    return TemplateResponse(request, "evals/suite_runs.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def suite_run(request: TenantRequest, suite_run: uuid.UUID) -> HttpResponse:
    """One suite run: cases × repeats, and what each expectation said. POST ends it."""
    tenant = request.access.tenant.id
    found = queries.suite_run(tenant=tenant, suite_run=suite_run)
    if is_change(request):
        try:
            services.cancel_suite_run(tenant=tenant, suite_run=suite_run, by=actor(request), at=clock.now())
        except DomainError as refusal:
            messages.error(request, refusal.detail)
        return redirect(place(request, "suite-run", suite_run=suite_run))
    results = queries.case_results(tenant=tenant, suite_run=suite_run)
    only = request.GET.get("status", "")
    run = found.run
    ended = [each for each in results if each.status]
    context = {
        "suite": found,
        "results": [each for each in results if not only or each.status == only],
        "turns": range(1, run.repeats + 1),
        "statuses": [(status, status.capitalize()) for status in dict.fromkeys(each.status for each in ended)],
        "only": only,
        "stats": _stats(found, len(results)),
        "done": found.case_runs - found.open,
        "is_running": run.state == SuiteState.RUNNING,
        "paused": [
            (each, each.since + services.PAUSED_MOST)
            for each in queries.paused_judges(tenant=tenant, suite_run=suite_run)
        ],
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/suite_run.html", context)


@require_GET
def suite_case(request: TenantRequest, suite_run: uuid.UUID, case_run: uuid.UUID) -> HttpResponse:
    """What the agent did with one case, once."""
    tenant = request.access.tenant.id
    suite = queries.suite_run(tenant=tenant, suite_run=suite_run)
    found = queries.case_run(tenant=tenant, suite_run=suite_run, case_run=case_run)
    case = cases.kept(found.case.content)
    context = {
        "suite": suite,
        "found": found,
        "case": case,
        "facts": _facts(found),
        "output": found.output,
        "has_ended": found.ended_at is not None,
    }
    return TemplateResponse(request, "evals/suite_case.html", context)


@require_http_methods(["GET", "POST"])
def suite_endpoints(request: TenantRequest) -> HttpResponse:
    """Where agents answer when the portal runs their suites. POST sets one, or takes one away (`remove`)."""
    tenant, at = request.access.tenant.id, clock.now()
    form = EndpointForm(request.POST if request.method == "POST" else None)
    secret, of_agent = "", ""
    if request.method == "POST" and request.POST.get("remove"):
        services.remove_agent_endpoint(tenant=tenant, agent=request.POST["remove"], by=actor(request), at=at)
        messages.success(request, "Removed.")
        return redirect(place(request, "suite-endpoints"))
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = services.set_agent_endpoint(tenant=tenant, by=actor(request), at=at, **form.cleaned_data)
            of_agent = made.agent
            form = EndpointForm()
        except DomainError as refusal:
            show_refusal(form, refusal)
    context = {
        "endpoints": queries.agent_endpoints(tenant=tenant),
        "now": at,
        "form": form,
        "secret": secret,
        "of_agent": of_agent,
        "serve": "AGENTOPS_EVALS_SECRET=whsec_… python -m agentops_client.evals serve --call my_agent:call --port 8900",
    }
    return TemplateResponse(request, "evals/suite_endpoints.html", context, status=400 if form.errors else 200)


def _named(said: dict[str, str]) -> dict[str, str]:
    return {"agent": said["agent"], "version": said["version"], "name": said["set"]}


def _stats(found: Any, count: int) -> list[dict[str, Any]]:
    run = found.run
    if run.state != SuiteState.DONE:
        return [{"label": "Ended", "value": f"{found.case_runs - found.open} of {found.case_runs}"}]
    took = duration_text(run.ended_at - run.begun_at) if run.ended_at else ""
    return [
        {"label": "Passed", "value": f"{run.passed} of {run.cases}"},
        {
            "label": "Flaky",
            "value": run.flaky,
            "note": "pass at times" if run.flaky else "",
            "tone": "warn" if run.flaky else "",
        },
        {"label": "Not passed", "value": run.failed, "tone": "bad" if run.failed else ""},
        {"label": "Took", "value": took},
    ]


def _facts(found: CaseRun) -> list[tuple[str, Any]]:
    return [
        ("Ended", ago(found.ended_at) if found.ended_at else None),
        ("Took", duration_text(found.duration_ms, "ms") if found.duration_ms is not None else None),
        ("Input tokens", count(found.input_tokens)),
        ("Output tokens", count(found.output_tokens)),
        ("Cost", money(found.cost_nano_usd) if found.cost_nano_usd is not None else None),
        ("Taken", f"{found.attempts} times" if found.attempts != 1 else "once"),
    ]
