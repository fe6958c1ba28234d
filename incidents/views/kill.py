"""Stopping agents because of an incident: a page that asks, with what fits chosen beforehand; only its form acts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import show_refusal
from agentops.common.scope import staff_scope, tenant_scope
from agentops.runtime import queries as runtime
from agentops.runtime import services
from agentops.runtime.types import SwitchMode, SwitchScope
from incidents import states
from incidents.forms.lifecycle import KillForm
from incidents.models import Incident
from incidents.queries.named import incident_called
from incidents.services import containing
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import house_scope
from tenants.types import Tenant

_TARGETS_MOST = 50
PRODUCT, EACH_AGENT, EACH_TENANT = "product", "agent:all", "tenant:all"


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be stopped: an agent, or all agents, of some organisations."""

    key: str
    words: str
    sentence: str
    scope: SwitchScope
    tenants: tuple[uuid.UUID, ...]


@require_http_methods(["GET", "POST"])
def incident_kill_switch(request: StaffRequest, ref: str) -> HttpResponse:
    """GET asks; POST sets the switch in the customer's rows, then notes it in the incident."""
    with staff_scope():
        found = incident_called(ref)
        names = tenants.tenants_by_id(found.tenants[:_TARGETS_MOST])
        on = _on(found, names)
        held = catalog.tenants_with_agent(name=found.agent, among=list(names)) if found.agent else set()
    if found.status not in states.NOT_OVER:
        messages.error(
            request, f"{found.ref} is over. Stop agents on the page Kill switches, or declare a new incident."
        )
        return redirect("incident", ref=found.ref)
    targets = _targets(found, names, held)
    form = KillForm(
        request.POST or None,
        targets=[(each.key, f"{each.words}: {each.sentence}") for each in targets]
        + [(PRODUCT, "Everything: Every agent of every organisation")],
        initial={"target": targets[0].key if targets else "", "reason": found.title},
    )
    if request.method == "POST" and form.is_valid():
        try:
            count = _stop(request, found, form, targets)
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"{count} kill switch{'' if count == 1 else 'es'} set. Below is what it does.")
            return redirect("incident", ref=found.ref)
    unheld = [names[each].name for each in found.tenants if each in names and each not in held] if found.agent else []
    context = {
        "incident": found,
        "form": form,
        "on": on,
        "unheld": unheld,
        "back_url": reverse("incident", kwargs={"ref": found.ref}),
    }
    return TemplateResponse(request, "incidents/kill.html", context, status=422 if form.is_bound else 200)


def _stop(request: StaffRequest, found: Incident, form: KillForm, targets: list[Target]) -> int:
    """The switch first: noting it may fail, and is made up for by a sweep, which reads the incident in its reason."""
    said, by = form.cleaned_data, request.staff.actor
    reason, mode = f"{found.ref}: {said['reason']}"[:1_000], SwitchMode(said["mode"])
    made: list[tuple[uuid.UUID | None, Any, str, str]] = []
    refusal: DomainError | None = None
    if said["target"] == PRODUCT:
        product, _ = services.set_product_switch(mode=mode, reason=reason, by=by, at=clock.now())
        made.append((None, product, "product", ""))
    else:
        target = next(each for each in targets if each.key == said["target"])
        scope_id = found.agent if target.scope is SwitchScope.AGENT else ""
        for tenant in target.tenants:
            try:
                with tenant_scope(tenant):
                    switch, _ = services.set_switch(
                        tenant=tenant, scope_kind=target.scope, scope_id=scope_id, mode=mode, reason=reason, by=by,
                        at=clock.now(),
                    )  # fmt: skip
            except DomainError as refused:  # one organisation does not keep the others running
                refusal = refused
            else:
                made.append((tenant, switch, switch.scope, switch.scope_id))
    for about, switch, kind, scope_id in made:
        with house_scope() as house:
            containing.note_switch(
                tenant=house, incident_id=found.id, switch_id=switch.id, about_tenant=about, kind=kind, scope_id=scope_id,
                mode=switch.mode, set_at=switch.set_at, by=by, at=clock.now(),
            )  # fmt: skip
    if refusal is not None:
        raise refusal
    return len(made)


def _targets(found: Incident, names: dict[uuid.UUID, Tenant], held: set[uuid.UUID]) -> list[Target]:
    """What fits first: the agent where it is registered (elsewhere no switch knows it), then whole organisations."""
    known = [names[each] for each in found.tenants if each in names]
    targets = []
    if len(held) > 1:
        sentence = f"In all {len(held)} organisations of this incident that have it"
        targets.append(Target(EACH_AGENT, found.agent, sentence, SwitchScope.AGENT, tuple(sorted(held, key=str))))
    targets += [
        Target(f"agent:{tenant.slug}", f"{found.agent} of {tenant.name}",
               "Its runs, and the runs that it began of other agents", SwitchScope.AGENT, (tenant.id,))
        for tenant in known if tenant.id in held
    ]  # fmt: skip
    if len(known) > 1:
        ids = tuple(tenant.id for tenant in known)
        sentence = f"In all {len(known)} organisations of this incident, for every user"
        targets.append(Target(EACH_TENANT, "All their agents", sentence, SwitchScope.TENANT, ids))
    targets += [
        Target(
            f"tenant:{tenant.slug}", f"All agents of {tenant.name}", "For every user", SwitchScope.TENANT, (tenant.id,)
        )
        for tenant in known
    ]
    return targets


def _on(found: Incident, names: dict[uuid.UUID, Tenant]) -> list[tuple[Tenant, Any]]:
    """Switches of its organisations that are on already."""
    return [(names[switch.tenant_id], switch) for switch in runtime.all_switches_on() if switch.tenant_id in names]
