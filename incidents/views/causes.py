"""Why it happened, what is changed, the proof by suites, and the watch after it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import show_refusal
from agentops.common.scope import staff_scope
from evals import queries as evals
from incidents import services, states
from incidents.forms.lifecycle import CauseForm, CheckForm, FixForm, WatchForm
from incidents.models import Fix, Incident
from incidents.policies import causes
from incidents.policies.fixes import Proof
from incidents.queries import incidents as queries
from incidents.queries import suites
from incidents.queries.named import incident_called
from incidents.queries.standing import standing
from incidents.types import IncidentStatus
from incidents.views.incidents import run_links
from incidents.views.shared import done, first_error
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import Permission
from tenants.types import Tenant

_SUITES = 30


@require_GET
def incident_cause(request: StaffRequest, ref: str) -> HttpResponse:
    """Cause, fix and watch on one page, in the order in which they are worked out. Over all tenants: cases are customers'."""
    found = incident_called(ref)
    return TemplateResponse(request, "incidents/cause.html", _context(request, found))


def _context(request: StaffRequest, found: Incident) -> dict[str, Any]:
    names, stands = tenants.tenants_by_id(found.tenants), standing(found)
    rows = queries.causes_of(found.id)
    known = [names[each] for each in found.tenants if each in names]
    target = states.following(found.status)
    return {
        "incident": found,
        "stands": stands,
        "is_open": found.status in states.NOT_OVER,
        "root": next((each for each in rows if each.is_root and each.replaced_at is None), None),
        "factors": [(each, _words(each)) for each in rows if not each.is_root],
        "before": [(each, _words(each)) for each in rows if each.is_root and each.replaced_at],
        "root_words": next((_words(each) for each in rows if each.is_root and each.replaced_at is None), ""),
        "runs": run_links(found, names),
        "fixes": [_fix(each, names, stands.fix) for each in queries.fixes_of(found.id)],
        "watches": queries.watches_of(found.id),
        "needs": [need.sentence for need in stands.unmet(target)] if target else [],
        "target": target,
        "cause_form": CauseForm(auto_id="cause_%s", initial=_said(stands.cause)),
        "factor_form": CauseForm(auto_id="factor_%s", is_root=False),
        "fix_form": FixForm(auto_id="fix_%s", tenants=_choices(known), initial=_suggested(found, known, stands.fix)),
        "watch_form": WatchForm() if target == IncidentStatus.WATCHING else None,
        "is_watch_due": stands.watch is not None and stands.watch.ends_at <= clock.now(),
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }


@require_POST
def incident_root_cause(request: StaffRequest, ref: str) -> HttpResponse:
    """The root cause, or (`factor`) what contributed."""
    found, is_root = incident_called(ref), "factor" not in request.POST
    form = CauseForm(request.POST, is_root=is_root)
    if not form.is_valid():
        messages.error(request, first_error(form))
        return redirect("incident-cause", ref=found.ref)
    work = services.set_cause if is_root else services.add_factor
    return done(
        request,
        found.ref,
        lambda: work(tenant=HOUSE_ID, incident_id=found.id, by=request.staff.actor, at=clock.now(), **form.said),
        "The cause is written down." if is_root else "It is written down.",
        back="incident-cause",
    )


@require_http_methods(["GET", "POST"])
def incident_fixes(request: StaffRequest, ref: str) -> HttpResponse:
    """A fix with the cases of the failing input; that they are there is looked at in the organisation's rows first."""
    with staff_scope():
        found = incident_called(ref)
        names = tenants.tenants_by_id(found.tenants)
        known = [names[each] for each in found.tenants if each in names]
        form = FixForm(request.POST or None, tenants=_choices(known), initial=_suggested(found, known, None))
        about = next((each for each in known if each.slug == request.POST.get("tenant")), None)
        if request.method == "POST" and form.is_valid() and about and form.cleaned_data["cases"]:
            missing = suites.missing_cases(tenant=about.id, cases=form.cleaned_data["cases"])
            if missing:
                form.add_error("cases", f"{about.name} has no such case: {', '.join(missing)[:300]}. Make it first.")
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            with house_scope() as house:
                services.propose_fix(
                    tenant=house, incident_id=found.id, change=said["change"], about_tenant=about.id if about else None,
                    agent=said["agent"], old_version=said["old_version"], new_version=said["new_version"],
                    cases=said["cases"], by=request.staff.actor, at=clock.now(),
                )  # fmt: skip
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "The fix is written down. Next: suites that show it.")
            return redirect("incident-cause", ref=found.ref)
    context = {"incident": found, "form": form, "back_url": reverse("incident-cause", kwargs={"ref": found.ref})}
    return TemplateResponse(request, "incidents/fix_new.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def incident_fix_check(request: StaffRequest, ref: str, fix: uuid.UUID) -> HttpResponse:
    """Choose the two suite runs; what they show is read in the organisation's rows, then written down in ours."""
    shown: Proof | None = None
    with staff_scope():
        found = incident_called(ref)
        row = queries.fix(fix)
        if row is None or row.incident_id != found.id or row.about_tenant is None or not row.cases:
            raise NotFound("There is no such fix with cases to check.")
        tenant = tenants.tenants_by_id([row.about_tenant])[row.about_tenant]
        form = CheckForm(request.POST or None, old=_runs(row, row.old_version), new=_runs(row, row.new_version))
        pair = None
        if request.method == "POST" and form.is_valid():
            chosen = [uuid.UUID(form.cleaned_data[name]) for name in ("old_suite", "new_suite")]
            old, new = (suites.suite_of(tenant=row.about_tenant, suite_run=each) for each in chosen)
            pair = (chosen, old, new)
    if pair is not None:
        chosen, old, new = pair
        try:
            with house_scope() as house:
                shown = services.check_fix(
                    tenant=house, fix_id=row.id, old_suite=chosen[0], new_suite=chosen[1], old=old, new=new,
                    by=request.staff.actor, at=clock.now(),
                )  # fmt: skip
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            if shown.holds:
                messages.success(request, "The fix holds.")
            else:
                messages.error(request, f"It does not hold yet. {' '.join(shown.reasons)}"[:1_000])
            return redirect("incident-cause", ref=found.ref)
    context = {
        "incident": found, "fix": row, "form": form, "tenant": tenant,
        "back_url": reverse("incident-cause", kwargs={"ref": found.ref}),
    }  # fmt: skip
    return TemplateResponse(request, "incidents/fix_check.html", context, status=422 if form.is_bound else 200)


@require_POST
def incident_watch_end(request: StaffRequest, ref: str) -> HttpResponse:
    """A person closes a watch that ran its time without a breach."""
    found = incident_called(ref)
    return done(
        request,
        found.ref,
        lambda: services.close_watch(tenant=HOUSE_ID, incident_id=found.id, by=request.staff.actor, at=clock.now()),
        "The watch is closed. A commander resolves the incident.",
        back="incident-cause",
    )


# -- parts ------------------------------------------------------------------------------------------------------------


def _words(cause: Any) -> str:
    return causes.words(cause.kind, cause.detail_kind)


def _said(cause: Any) -> dict[str, str]:
    if cause is None:
        return {}
    return {"cause": f"{cause.kind}/{cause.detail_kind}", "owasp": cause.owasp, "text": cause.text}


def _choices(known: list[Tenant]) -> list[tuple[str, str]]:
    return [(tenant.slug, tenant.name) for tenant in known]


def _suggested(found: Incident, known: list[Tenant], before: Fix | None) -> dict[str, str]:
    """What is known of a fix beforehand: the version that failed, and cases that were made of its runs."""
    first = known[0] if known else None
    cases: list[dict[str, str]] = []
    for tenant in known[:5]:
        runs = [run["run"] for run in found.runs if uuid.UUID(run["tenant"]) == tenant.id]
        cases = suites.cases_of_runs(tenant=tenant.id, runs=runs) if runs else []
        if cases:
            first = tenant
            break
    one_set = [each for each in cases if each["set"] == cases[0]["set"]]
    return {
        "change": before.change if before else "",
        "tenant": first.slug if first and found.agent else "",
        "agent": found.agent,
        "old_version": found.agent_version,
        "new_version": before.new_version if before else "",
        "cases": "\n".join(f"{each['set']}/{each['key']}" for each in one_set),
    }


def _fix(row: Fix, names: dict[uuid.UUID, Tenant], newest: Fix | None) -> dict[str, Any]:
    tenant = names.get(row.about_tenant) if row.about_tenant else None
    checks = [
        ("Its cases fail on the old version", row.failed_on_old),
        ("They pass on the new version", row.passes_on_new),
        ("The full suite passes on the new version", row.full_suite_passed),
    ]
    return {
        "row": row, "tenant": tenant, "checks": checks if row.cases else [],
        "is_newest": newest is not None and newest.id == row.id, "suites": _suite_links(row, tenant),
    }  # fmt: skip


def _suite_links(row: Fix, tenant: Tenant | None) -> list[tuple[str, str]]:
    if tenant is None:
        return []
    return [
        (word, reverse("staff-tenant-suite-run", kwargs={"slug": tenant.slug, "suite_run": suite}))
        for word, suite in (("Old version's suite", row.old_suite), ("New version's suite", row.new_suite))
        if suite
    ]


def _runs(row: Fix, version: str) -> list[tuple[str, str]]:
    """The suite runs of a version and the fix's set, the newest first."""
    if row.about_tenant is None or not row.cases:
        return []
    page = evals.suite_runs(
        tenant=row.about_tenant, agent=row.agent, version=version, name=row.cases[0]["set"], limit=_SUITES
    )
    return [
        (
            str(each.run.id),
            f"{each.run.agent_version}, {each.run.begun_at:%-d %b %H:%M} UTC: "
            f"{each.run.passed} of {each.run.cases} passed ({each.run.get_state_display().lower()})",
        )
        for each in page.rows
    ]
