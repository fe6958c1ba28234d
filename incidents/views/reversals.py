"""Reversals: what is still to be undone, and until when; one of them, and each of its steps."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, Forbidden
from agentops.common.ids import span_hex
from incidents.forms.evidence import EndForm, HowForm
from incidents.models import Incident, Reversal
from incidents.policies.reversing import NO_WAY, TRANSITIONS
from incidents.queries import reversals as queries
from incidents.queries.named import incident_called
from incidents.services import reversals as services
from incidents.types import REVERSAL_OVER, ReversalState, Reversibility
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission

if TYPE_CHECKING:
    from tenants.models import Tenant


@require_GET
def reversals(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    state = request.GET.get("state", "")
    state = state if state in ReversalState.values else ""
    rows = queries.reversals(incident, state=state)
    names = tenants.tenants_by_id({row.effect.about_tenant for row in rows})
    counts = queries.counts(incident)
    now = clock.now()
    context = {
        "incident": incident,
        "rows": [_row(row, names, now) for row in rows],
        "state": state,
        "counts": [(one.value, one.label, count) for one, count in counts.items()],
        "total": sum(counts.values()),
        "open": sum(count for one, count in counts.items() if one not in REVERSAL_OVER),
        "undone": counts.get(ReversalState.DONE, 0),
        "residual": sum(counts.get(one, 0) for one in (ReversalState.IMPOSSIBLE, ReversalState.PARTIAL)),
        "late": sum(
            1
            for row in rows
            if row.effect.deadline_at and row.effect.deadline_at < now and row.state not in REVERSAL_OVER
        ),
        "here": reverse("incident-reversals", kwargs={"ref": incident.ref}),
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }
    return TemplateResponse(request, "incidents/reversals.html", context)


@require_POST
def plan(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    count = services.plan_reversals(tenant=HOUSE_ID, incident_id=incident.id, by=request.staff.actor, at=clock.now())
    told = (
        f"{count} side effects are planned to be undone."
        if count
        else "There is nothing new to plan: confirm what is hit first."
    )
    messages.success(request, told)
    return HttpResponseRedirect(reverse("incident-reversals", kwargs={"ref": incident.ref}))


@require_GET
def reversal(request: StaffRequest, ref: str, reversal_id: uuid.UUID) -> HttpResponse:
    incident = incident_called(ref)
    return _page(request, incident, queries.reversal(incident, reversal=reversal_id))


@require_POST
def how(request: StaffRequest, ref: str, reversal_id: uuid.UUID) -> HttpResponse:
    incident = incident_called(ref)
    found = queries.reversal(incident, reversal=reversal_id)
    form = HowForm(request.POST)
    if not form.is_valid():
        return _page(request, incident, found, how_form=form, status=422)
    said = form.cleaned_data
    return _done(
        request,
        incident,
        reversal_id,
        "Planned anew: another person agrees to it.",
        lambda: services.change_reversal(
            tenant=HOUSE_ID,
            reversal_id=reversal_id,
            how=said["how"],
            reversibility=Reversibility(said["reversibility"]),
            who_must_act=said["who_must_act"],
            by=request.staff.actor,
            at=clock.now(),
        ),
    )


@require_POST
def approval(request: StaffRequest, ref: str, reversal_id: uuid.UUID) -> HttpResponse:
    """Agree as the second person."""
    incident = incident_called(ref)
    queries.reversal(incident, reversal=reversal_id)
    return _done(
        request,
        incident,
        reversal_id,
        "Agreed: it may begin.",
        lambda: services.approve_reversal(
            tenant=HOUSE_ID, reversal_id=reversal_id, by=request.staff.actor, at=clock.now()
        ),
    )


@require_POST
def start(request: StaffRequest, ref: str, reversal_id: uuid.UUID) -> HttpResponse:
    """Begin."""
    incident = incident_called(ref)
    queries.reversal(incident, reversal=reversal_id)
    return _done(
        request,
        incident,
        reversal_id,
        "Begun, under its idempotency key. Say here how it ended.",
        lambda: services.start_reversal(
            tenant=HOUSE_ID, reversal_id=reversal_id, by=request.staff.actor, at=clock.now()
        ),
    )


@require_POST
def end(request: StaffRequest, ref: str, reversal_id: uuid.UUID) -> HttpResponse:
    """Say how it ended. To leave something as it is, is a commander's decision."""
    incident = incident_called(ref)
    found = queries.reversal(incident, reversal=reversal_id)
    form = EndForm(request.POST, states=_ends(request, found))
    if request.POST.get("state") == ReversalState.WAIVED and not request.staff.may(Permission.STAFF_COMMAND):
        raise Forbidden("To leave something as it is, is a commander's decision.")
    if not form.is_valid():
        return _page(request, incident, found, end_form=form, status=422)
    said = form.cleaned_data
    return _done(
        request,
        incident,
        reversal_id,
        "Kept.",
        lambda: services.end_reversal(
            tenant=HOUSE_ID,
            reversal_id=reversal_id,
            state=ReversalState(said["state"]),
            proof=said["proof"],
            reason=said["reason"],
            by=request.staff.actor,
            at=clock.now(),
        ),
    )


def _done(
    request: StaffRequest, incident: Incident, reversal_id: uuid.UUID, told: str, write: Callable[[], Any]
) -> HttpResponse:
    try:
        write()
    except DomainError as refusal:
        messages.error(request, " ".join([refusal.detail, *(problem.detail for problem in refusal.problems)]))
    else:
        messages.success(request, told)
    return HttpResponseRedirect(reverse("incident-reversal", kwargs={"ref": incident.ref, "reversal_id": reversal_id}))


def _page(
    request: StaffRequest,
    incident: Incident,
    found: Reversal,
    *,
    how_form: HowForm | None = None,
    end_form: EndForm | None = None,
    status: int = 200,
) -> HttpResponse:
    may_respond = request.staff.may(Permission.STAFF_RESPOND)
    state = ReversalState(found.state)
    initial = {
        "how": "" if found.how == NO_WAY else found.how,
        "reversibility": found.effect.reversibility,
        "who_must_act": found.effect.who_must_act,
    }
    ends = _ends(request, found)
    names = tenants.tenants_by_id({found.effect.about_tenant})
    context = {
        "incident": incident,
        "row": _row(found, names, clock.now()),
        "can_change": may_respond and state in (ReversalState.PLANNED, ReversalState.APPROVED),
        "can_approve": state == ReversalState.PLANNED and request.staff.may(Permission.STAFF_COMMAND),
        "is_mine": found.planned_by == request.staff.actor.label,
        "needs_how": found.how == NO_WAY,
        "can_start": may_respond and ReversalState.RUNNING in TRANSITIONS.get(state, ()),
        "end_title": "How it ended" if state == ReversalState.RUNNING else "It is not to be undone",
        "how_form": how_form or HowForm(initial=initial),
        "end_form": (end_form or EndForm(states=ends)) if ends and may_respond else None,
    }
    return TemplateResponse(request, "incidents/reversal.html", context, status=status)


def _ends(request: StaffRequest, found: Reversal) -> list[ReversalState]:
    """How it can end from where it is, as far as this person may say so."""
    able = TRANSITIONS.get(ReversalState(found.state), frozenset())
    ends = [state for state in (*REVERSAL_OVER, ReversalState.FAILED) if state in able]
    may_command = request.staff.may(Permission.STAFF_COMMAND)
    return [state for state in ends if state != ReversalState.WAIVED or may_command]


def _row(row: Reversal, names: dict[uuid.UUID, Tenant], now: Any) -> dict[str, Any]:
    effect = row.effect
    tenant = names.get(effect.about_tenant)
    run_url = ""
    if tenant is not None:
        run_url = reverse("staff-tenant-run", kwargs={"slug": tenant.slug, "run_id": effect.run_id.hex})
        if effect.span_id > 0:
            run_url += f"?span={span_hex(effect.span_id)}"
    is_over = row.state in REVERSAL_OVER
    return {
        "reversal": row,
        "effect": effect,
        "organisation": tenant.name if tenant else "",
        "run_url": run_url,
        "is_over": is_over,
        "is_late": bool(effect.deadline_at and effect.deadline_at < now and not is_over),
    }
