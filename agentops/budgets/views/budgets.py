"""Budgets: the list, and changing one after seeing what it would have done."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import ROUND_UP, Decimal

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from agentops.budgets import presenting, queries, services
from agentops.budgets.asking import page_of
from agentops.budgets.budget_forms import AGENT, USER, BudgetForm, NewBudgetForm, seal
from agentops.budgets.presenting import NEAR_PERCENT, Card, Preview, Use
from agentops.budgets.types import BudgetState, BudgetTerms, Period, Scope
from agentops.common import clock, paging
from agentops.common.errors import DomainError
from agentops.common.pages import is_fragment, older_url, page_or_fragment, place, question, show_refusal
from agentops.portal.templatetags.words import money_text
from tenants.access import TenantRequest
from tenants.roles import Permission

CARDS = 20
NEAR_NAMES = 3
NOTICES = 50
RAISED = Decimal("1.5")  # what a notice proposes: half as much again
_PREVIEW = "preview"
_ASKED = ("whose_choice", "name", "period", "limit_usd", "action", "thresholds")  # of a new budget, by its address


@require_GET
def budgets(request: TenantRequest) -> HttpResponse:
    """What may be spent, by whom, and how much of it is used."""
    tenant, now = request.access.tenant.id, clock.now()
    text, scope = request.GET.get("q", "").strip()[:200].replace("\0", ""), request.GET.get("scope", "")
    page = page_of(request.GET.get("page", ""))
    found = queries.budget_page(
        tenant=tenant,
        at=now,
        text=text,
        scope=scope if scope in Scope.values else "",
        most=CARDS,
        skip=(page - 1) * CARDS,
    )
    here, said = place(request, "budget-limits"), {"q": text, "scope": scope}
    query: dict[str, str | int] = {name: value for name, value in said.items() if value}
    context = {
        "cards": [_card(tenant, state, now) for state in found.states],
        "found": found,
        "text": text,
        "scope": scope,
        "scopes": [(each.value, each.label) for each in Scope],
        "newer_url": f"{here}?{urlencode({**query, 'page': page - 1})}" if page > 1 else "",
        "older_url": f"{here}?{urlencode({**query, 'page': page + 1})}" if page * CARDS < found.count else "",
        "may_manage": request.access.may(Permission.BUDGETS_MANAGE),
    }
    return page_or_fragment(request, "budgets/budgets.html", "budgets/_budgets.html", context)


@require_http_methods(["GET", "POST"])
def budget_change(request: TenantRequest, budget_id: uuid.UUID) -> HttpResponse:
    """The form of one budget, over its card or as a page. What was looked at, and only that, is saved."""
    state = queries.budget_state(tenant=request.access.tenant.id, budget_id=budget_id, at=clock.now())
    form: BudgetForm = BudgetForm.showing(state.terms, limit_usd=_proposed(request))
    if request.method == "POST":
        form = BudgetForm(request.POST, of=state.terms)
    return _edited(request, form, state)


@require_http_methods(["GET", "POST"])
def budget_new(request: TenantRequest) -> HttpResponse:
    """A budget of somebody; the address may say of whom."""
    asked = {name: request.GET.get(name, "") for name in _ASKED}
    initial = {name: value for name, value in asked.items() if value}
    form = NewBudgetForm(request.POST if request.method == "POST" else None, initial=initial)
    return _edited(request, form, None)


@require_http_methods(["GET", "POST"])
def budget_removal(request: TenantRequest, budget_id: uuid.UUID) -> HttpResponse:
    """Take a budget away."""
    access, at = request.access, clock.now()
    state = queries.budget_state(tenant=access.tenant.id, budget_id=budget_id, at=at)
    back = reverse("budget-limits", kwargs={"slug": access.tenant.slug})
    if request.method == "POST":
        services.remove_budget(tenant=access.tenant.id, budget_id=budget_id, by=access.actor, at=at)
        messages.success(request, "Removed.")
        return redirect(back)
    context = {"card": _bare_card(access.tenant.id, state)}
    return question(
        request, "budgets/_budget_removal.html", context, title="Remove this budget?", back=(back, "Budgets")
    )


@require_GET
def notices(request: TenantRequest) -> HttpResponse:
    """Thresholds that were crossed, the newest first."""
    access = request.access
    found = queries.notices(tenant=access.tenant.id, limit=NOTICES, cursor=paging.cursor(request.GET))
    zone = queries.calendar(tenant=access.tenant.id)
    here, at = place(request, "budget-notices"), clock.now()
    budget_ids = {one.budget_id for one in found.notices}
    present = {state.id: state for state in queries.budget_states(tenant=access.tenant.id, at=at, ids=budget_ids)}
    may_manage = access.may(Permission.BUDGETS_MANAGE)
    rows = [
        {
            "notice": one,
            "whose": presenting.whose(Scope(one.scope), one.subject),
            "per": presenting.PERIOD_NAMES[Period(one.period)],
            "is_over": one.period_end <= at,
            "until": presenting.local(one.period_end, zone),
            "raise_url": _raise_url(request, present[one.budget_id], one.subject)
            if may_manage and one.budget_id in present and one.period_end > at
            else "",
        }
        for one in found.notices
    ]
    context = {
        "rows": rows,
        "older_url": older_url(here, "", found.next.encode()) if found.next else "",
        "newer_url": here if request.GET.get("cursor") else "",
    }
    return page_or_fragment(request, "budgets/notices.html", "budgets/_notices.html", context)


# -- changing ---------------------------------------------------------------------------------------------------------


def _edited(request: TenantRequest, form: BudgetForm, state: BudgetState | None) -> HttpResponse:
    """Show the form with what it would do; save it where exactly that was seen."""
    access, at = request.access, clock.now()
    preview = None
    if form.is_bound and form.is_valid():
        terms = form.terms
        if request.POST.get("step") != _PREVIEW and request.POST.get("seen") == seal(terms):
            try:
                services.set_budget(tenant=access.tenant.id, terms=terms, by=access.actor, at=at)
            except DomainError as refusal:
                show_refusal(form, refusal)
            else:
                messages.success(request, f"{presenting.whose(terms.scope, terms.scope_id)}: saved, and in force.")
                return redirect("budget-limits", slug=access.tenant.slug)
        else:
            preview = _preview(access.tenant.id, terms, state, at)
    elif state is not None and not form.is_bound:
        shown = BudgetForm(form.initial, of=state.terms)
        preview = _preview(access.tenant.id, shown.terms, state, at) if shown.is_valid() else None
    context = {
        "form": form,
        "state": state,
        "preview": preview,
        "action": request.path,
        "title": presenting.whose(state.terms.scope, state.terms.scope_id) if state else "New budget",
        "per": presenting.PERIOD_NAMES[state.terms.period] if state else "",
        "back_url": reverse("budget-limits", kwargs={"slug": access.tenant.slug}),
    }
    if is_fragment(request):
        part = "budgets/_preview.html" if request.POST.get("step") == _PREVIEW else "budgets/_budget_form.html"
        return render(request, part, context)
    return render(request, "budgets/budget_change.html", context, status=422 if form.errors else 200)


def _preview(tenant: uuid.UUID, terms: BudgetTerms, state: BudgetState | None, at: datetime) -> Preview:
    is_of_one = terms.scope is Scope.TENANT or terms.scope_id != ""
    zone = queries.calendar(tenant=tenant)
    ahead, once = "", []
    if state is None:
        state = queries.budget_of(tenant=tenant, scope=terms.scope, scope_id=terms.scope_id, period=terms.period, at=at)
        once = (
            [("info", f"There is one of {money_text(state.terms.limit_nano_usd)}: this replaces it.")] if state else []
        )
    if is_of_one:
        look = queries.outlook(tenant=tenant, period=terms.period, at=at, now=at, only=queries.only_of(terms))
        ahead = presenting.ahead_text(look, terms)
        used = state.used_nano_usd if state and state.used_nano_usd is not None else look.spent_nano_usd
        once += presenting.at_once(terms, used, presenting.local(look.end, zone))
    return Preview(
        terms=terms,
        seal=seal(terms),
        found=queries.what_if(tenant=tenant, terms=terms, at=at),
        before=queries.what_if(tenant=tenant, terms=state.terms, at=at) if state and state.terms != terms else None,
        at_once=[*once, *_beside_the_organisation(tenant, terms, at)],
        ahead=ahead,
    )


def _beside_the_organisation(tenant: uuid.UUID, terms: BudgetTerms, at: datetime) -> list[tuple[str, str]]:
    """A limit beyond the organisation's is no mistake, but the organisation's is reached before it."""
    if terms.scope is Scope.TENANT:
        return []
    whole = queries.budget_of(tenant=tenant, scope=Scope.TENANT, period=terms.period, at=at)
    if whole is None or terms.limit_nano_usd <= whole.terms.limit_nano_usd:
        return []
    limit = money_text(whole.terms.limit_nano_usd)
    words = f"The organisation's limit for the same time is {limit}: it is reached before this one."
    return [("warn", words)]


def _proposed(request: TenantRequest) -> str:
    text = request.GET.get("limit_usd", "")
    return text if len(text) < 20 and text.replace(".", "", 1).isdecimal() and text.isascii() else ""


def _raise_url(request: TenantRequest, state: BudgetState, subject: str) -> str:
    """Where the limit of who passed a threshold is raised: their own, or one of their own beside that of all.

    Only the limit is another one: what happens there, and when people are told, stays.
    """
    limit = f"{(Decimal(state.terms.limit_nano_usd) * RAISED / 10**9).quantize(Decimal('0.01'), rounding=ROUND_UP):f}"
    slug = request.access.tenant.slug
    if state.terms.scope_id or state.terms.scope is Scope.TENANT:
        address = reverse("budget-change", kwargs={"slug": slug, "budget_id": state.id})
        return f"{address}?{urlencode({'limit_usd': limit})}"
    whose = USER if state.terms.scope is Scope.USER else AGENT
    query = {
        "whose_choice": whose,
        "name": subject,
        "period": state.terms.period.value,
        "limit_usd": limit,
        "action": state.terms.action.value,
        "thresholds": ", ".join(map(str, state.terms.thresholds)),
    }
    return f"{reverse('budget-new', kwargs={'slug': slug})}?{urlencode(query)}"


# -- cards ------------------------------------------------------------------------------------------------------------


def _bare_card(tenant: uuid.UUID, state: BudgetState) -> Card:
    return Card(state, presenting.local(state.resets_at, queries.calendar(tenant=tenant)), None)


def _card(tenant: uuid.UUID, state: BudgetState, now: datetime) -> Card:
    resets = presenting.local(state.resets_at, queries.calendar(tenant=tenant))
    terms = state.terms
    if state.used_nano_usd is None:
        near, near_count = queries.near_limits(
            tenant=tenant, at=now, percent=NEAR_PERCENT, most=NEAR_NAMES, budget=state.id
        )
        return Card(state, resets, None, near=tuple(near), near_count=near_count)
    only = queries.only_of(terms)
    look = queries.outlook(tenant=tenant, period=terms.period, at=now, now=now, only=only)
    total = queries.total(tenant=tenant, since=state.period_start, until=state.resets_at, only=only)
    return Card(
        state,
        resets,
        Use(state.used_nano_usd, terms.limit_nano_usd, terms.ceiling_nano_usd),
        observed_nano_usd=total.amount_nano_usd - total.guarded_nano_usd,
        enforcement=presenting.enforcement(total),
        outlook=look,
        ahead=presenting.ahead_text(look, terms),
    )
