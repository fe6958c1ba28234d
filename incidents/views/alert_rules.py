"""Rules of alerts: what holds for each class, and for whom people decided otherwise."""

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
from incidents.detecting.defaults import DEFAULTS
from incidents.forms.alerts import RuleForm
from incidents.models import AlertRule
from incidents.queries import rules as queries
from incidents.services import rules as services
from incidents.types import AlertClass
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission


@require_GET
def alert_rules(request: StaffRequest) -> HttpResponse:
    """Every class with its defaults, and the rules that there are."""
    names = {tenant.id: tenant.name for tenant in tenants.all_tenants()}
    by_class: dict[str, list[dict[str, Any]]] = {}
    for rule in queries.rules():
        by_class.setdefault(rule.alert_class, []).append({"rule": rule, "of": _of(rule, names), "words": _words(rule)})
    may_manage = request.staff.may(Permission.STAFF_ON_CALL_MANAGE)
    context = {
        "classes": [
            {
                "label": each.label,
                "meaning": f"{DEFAULTS[each].meaning} {DEFAULTS[each].severity_meaning}".strip(),
                "set_url": reverse("staff-alert-rule", kwargs={"alert_class": each.value}) if may_manage else "",
                "calm_seconds": DEFAULTS[each].calm_periods * DEFAULTS[each].every_seconds,
                "default": DEFAULTS[each],
                "params": list(DEFAULTS[each].params.values()),
                "rules": by_class.get(each.value, []),
            }
            for each in AlertClass
            if each is not AlertClass.TEST_PAGE
        ],
        "may_manage": may_manage,
    }
    return TemplateResponse(request, "incidents/alert_rules.html", context)


@require_http_methods(["GET", "POST"])
def alert_rule(request: StaffRequest, alert_class: str) -> HttpResponse:
    """Set the rule of a class for all, an organisation or an agent; with `?rule=` that one is changed."""
    if alert_class not in AlertClass.values:
        raise NotFound("There is no such class of alerts.")
    chosen = AlertClass(alert_class)
    organisations = [tenant for tenant in tenants.all_tenants() if tenant.id != HOUSE_ID]
    slugs = {tenant.id: tenant.slug for tenant in organisations}
    form = RuleForm(
        request.POST if request.method == "POST" else None,
        alert_class=chosen,
        tenants=organisations,
        initial=_initial(request.GET.get("rule", ""), chosen, slugs),
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.set_rule(tenant=HOUSE_ID, alert_class=chosen, **form.rule, by=request.staff.actor, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Saved. The next look goes by it.")
            return redirect("staff-alert-rules")
    context = {
        "form": form,
        "label": chosen.label,
        "default": DEFAULTS[chosen],
        "back_url": reverse("staff-alert-rules"),
    }
    return TemplateResponse(request, "incidents/alert_rule.html", context, status=422 if form.errors else 200)


@require_POST
def alert_rule_removal(request: StaffRequest, alert_rule: uuid.UUID) -> HttpResponse:
    services.remove_rule(tenant=HOUSE_ID, rule_id=alert_rule, by=request.staff.actor, at=clock.now())
    messages.success(request, "Removed. What holds without it holds again.")
    return redirect("staff-alert-rules")


def _initial(rule_id: str, alert_class: AlertClass, slugs: dict[uuid.UUID, str]) -> dict[str, Any]:
    try:
        rule = queries.rule_of(uuid.UUID(rule_id))
    except ValueError:
        rule = None
    if rule is None or rule.alert_class != alert_class:
        return {}
    return {
        "organisation": slugs.get(rule.about_tenant, "") if rule.about_tenant else "",
        "agent": rule.agent,
        "is_on": rule.is_on,
        "severity": rule.severity or "",
        "cooldown_seconds": rule.cooldown_seconds,
        **rule.params,
    }


def _of(rule: AlertRule, names: dict[uuid.UUID, str]) -> str:
    if rule.about_tenant is None:
        return f"{rule.agent}, wherever it runs" if rule.agent else "All organisations"
    organisation = names.get(rule.about_tenant, "an organisation that is gone")
    return f"{rule.agent} of {organisation}" if rule.agent else organisation


def _words(rule: AlertRule) -> list[str]:
    """What the rule says otherwise."""
    params = DEFAULTS[AlertClass(rule.alert_class)].params
    words = [] if rule.is_on else ["not watched"]
    if rule.severity is not None:
        words.append(f"SEV-{rule.severity}")
    words += [
        f"{param.meaning}: {param.words(rule.params[name])}" for name, param in params.items() if name in rule.params
    ]
    if rule.cooldown_seconds is not None:
        words.append(f"cooldown {rule.cooldown_seconds} s")
    return words or ["as the defaults"]
