"""Who is told what: the page of one incident, one text, and what is due over all of them."""

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
from agentops.common.errors import DomainError, InvalidInput, NotFound
from agentops.common.pages import question, show_refusal
from agentops.common.scope import staff_scope, tenant_scope
from agentops.outbox import queries as outbox
from incidents.drafting import TEMPLATES, draft
from incidents.forms import learning as forms
from incidents.models import CustomerComm, Incident
from incidents.policies import comms as policies
from incidents.queries import comm_facts
from incidents.queries import comms as queries
from incidents.queries.named import incident_called
from incidents.services import comm_sending as sending
from incidents.services import comms
from incidents.types import CommAudience, CommChannel, CommState
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import Permission


@require_GET
def incident_comms(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    at = clock.now()
    found = queries.comms_of(incident.id)
    lines = queries.organisations(incident, found, at=at)
    named = [(str(line.tenant.id), line.tenant.name) for line in lines]
    context = {
        "incident": incident,
        "lines": lines,
        "comms": _named(found),
        "may_speak": request.staff.may(Permission.STAFF_COMMUNICATE),
        "is_public_suggested": queries.is_public_suggested(incident, found),
        "organisations": named,
        "templates": [(one.name, one.label) for one in TEMPLATES.values() if one.audience != CommAudience.PUBLIC],
        "untold": sum(line.told_at is None for line in lines),
        "contact": forms.ContactForm(organisations=named),
        "now": at,
    }
    return TemplateResponse(request, "incidents/comms.html", context)


@require_GET
def updates_due(request: StaffRequest) -> HttpResponse:
    """To whom more was promised, over all incidents."""
    due = queries.updates_due(at=clock.now())
    names = tenants.tenants_by_id(one.about_tenant for one in due if one.about_tenant)
    context = {"due": [(one, names.get(one.about_tenant) if one.about_tenant else None) for one in due]}
    return TemplateResponse(request, "incidents/updates_due.html", context)


@require_GET
def incident_comm(request: StaffRequest, ref: str, comm_id: uuid.UUID) -> HttpResponse:
    """One text as it will be read, and what became of it."""
    incident = incident_called(ref)
    comm = queries.comm_of(incident_id=incident.id, comm_id=comm_id)
    states = outbox.states_of(tenant=HOUSE_ID, messages=comm.messages)
    is_open = comm.state in (CommState.DRAFT, CommState.APPROVED)
    context = {
        "incident": incident,
        "comm": comm,
        "organisation": _organisation(comm),
        "seen": comms.digest_of(comm),
        "mails": list(zip(comm.recipients, [states.get(one, "") for one in comm.messages], strict=False)),
        "others": _others(incident, comm) if is_open else [],
        "is_open": is_open,
        "is_mail": comm.channel == CommChannel.MAIL,
        "is_own": comm.drafted_by == request.staff.actor.label,
        "may_speak": request.staff.may(Permission.STAFF_COMMUNICATE),
        "told": forms.ToldForm(initial={"told_at": clock.now()}),
    }
    return TemplateResponse(request, "incidents/comm.html", context)


@require_http_methods(["GET", "POST"])
def comm_new(request: StaffRequest, ref: str) -> HttpResponse:
    """A first text from a template, with what is known; it is kept once it is saved. Reads customers' people, then writes."""
    with staff_scope():
        incident = incident_called(ref)
        tenant = _asked_tenant(request, incident)
    template = _asked_template(request, tenant is None)
    audience = TEMPLATES[template].audience
    initial: dict[str, Any] = {}
    if request.method == "GET":
        if tenant is not None:
            with tenant_scope(tenant.id):
                comms.note_look(tenant=tenant.id, what=request.get_full_path(), by=request.staff.actor, at=clock.now())
        with staff_scope():
            facts = comm_facts.facts_for(incident, tenant, template=template, at=clock.now())
            recipients = comm_facts.recipients_for(incident, tenant, audience)
        subject, body = draft(template, facts)
        initial = {
            "channel": policies.channel_for(audience),
            "recipients": "\n".join(recipients),
            "subject": subject,
            "body": body,
            "next_update_due_at": facts.next_update_at,
        }
    form = forms.CommForm(request.POST or None, initial=initial, is_public=tenant is None)
    if request.method == "POST" and form.is_valid():
        try:
            with house_scope() as house:
                made = comms.draft_comm(
                    tenant=house,
                    incident_id=incident.id,
                    about_tenant=tenant.id if tenant else None,
                    audience=audience,
                    template=template,
                    **form.said(),
                    by=request.staff.actor,
                    at=clock.now(),
                )
            return redirect("incident-comm", ref=incident.ref, comm_id=made.id)
        except InvalidInput as refusal:
            show_refusal(form, refusal)
    title = f"{TEMPLATES[template].label}{f': {tenant.name}' if tenant else ''}"
    return _form(request, incident, form, title, reverse("incident-comms", kwargs={"ref": incident.ref}))


@require_http_methods(["GET", "POST"])
def comm_text(request: StaffRequest, ref: str, comm_id: uuid.UUID) -> HttpResponse:
    """Change a text; an approval lapses."""
    incident = incident_called(ref)
    comm = queries.comm_of(incident_id=incident.id, comm_id=comm_id)
    initial = {
        "channel": comm.channel,
        "recipients": "\n".join(comm.recipients),
        "subject": comm.subject,
        "body": comm.body,
        "next_update_due_at": comm.next_update_due_at,
        "seen": comms.digest_of(comm),
    }
    form = forms.CommForm(request.POST or None, initial=initial, is_public=comm.audience == CommAudience.PUBLIC)
    if request.method == "POST" and form.is_valid():
        try:
            comms.change_comm(
                tenant=HOUSE_ID,
                comm_id=comm.id,
                seen=form.cleaned_data["seen"],
                **form.said(),
                by=request.staff.actor,
                at=clock.now(),
            )
            return redirect("incident-comm", ref=incident.ref, comm_id=comm.id)
        except DomainError as refusal:
            show_refusal(form, refusal)
    back = reverse("incident-comm", kwargs={"ref": incident.ref, "comm_id": comm.id})
    return _form(request, incident, form, f"Change the text: {comm.get_audience_display()}", back)


@require_POST
def comm_approval(request: StaffRequest, ref: str, comm_id: uuid.UUID) -> HttpResponse:
    seen = request.POST.get("seen", "")[:64]
    return _done(request, ref, comm_id, "Approved. It can be sent now.", comms.approve_comm, seen=seen)


@require_POST
def comm_sending(request: StaffRequest, ref: str, comm_id: uuid.UUID) -> HttpResponse:
    """Send a mail; or what failed of it once more."""
    incident = incident_called(ref)
    comm = queries.comm_of(incident_id=incident.id, comm_id=comm_id)
    if comm.state == CommState.FAILED:
        return _done(request, ref, comm_id, "It is tried again.", sending.send_comm_again)
    return _done(request, ref, comm_id, "It is on its way.", sending.send_comm)


@require_POST
def comm_telling(request: StaffRequest, ref: str, comm_id: uuid.UUID) -> HttpResponse:
    """A call was made, or a statement published."""
    form = forms.ToldForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("When was it told? A date and a time in UTC are expected.")
    return _done(request, ref, comm_id, "Noted.", sending.note_told, told_at=form.cleaned_data["told_at"])


@require_http_methods(["GET", "POST"])
def comm_waiver(request: StaffRequest, ref: str, comm_id: uuid.UUID) -> HttpResponse:
    """Decide that this is not told, and why."""
    incident = incident_called(ref)
    comm = queries.comm_of(incident_id=incident.id, comm_id=comm_id)
    form = forms.ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _done(request, ref, comm_id, "Noted.", comms.waive_comm, reason=form.cleaned_data["reason"])
    return question(
        request,
        "incidents/_comm_waiver.html",
        {"form": form, "comm": comm, "action": request.path},
        title="Not tell this?",
        back=(reverse("incident-comm", kwargs={"ref": incident.ref, "comm_id": comm.id}), "The text"),
        status=422 if form.is_bound else 200,
    )


@require_POST
def incident_contact(request: StaffRequest, ref: str) -> HttpResponse:
    """They came to us."""
    incident = incident_called(ref)
    form = forms.ContactForm(request.POST, organisations=[(str(one), str(one)) for one in incident.tenants])
    if not form.is_valid():
        raise InvalidInput("Who came to us, and when? An organisation and a time in UTC are expected.")
    comms.note_contact(
        tenant=HOUSE_ID,
        incident_id=incident.id,
        about_tenant=uuid.UUID(form.cleaned_data["about_tenant"]),
        when=form.cleaned_data["when"],
        note=form.cleaned_data["note"],
        by=request.staff.actor,
        at=clock.now(),
    )
    messages.success(request, "Noted.")
    return redirect("incident-comms", ref=incident.ref)


# -- parts ------------------------------------------------------------------------------------------------------------


def _done(request: StaffRequest, ref: str, comm_id: uuid.UUID, said: str, service: Any, **values: Any) -> HttpResponse:
    incident = incident_called(ref)
    comm = queries.comm_of(incident_id=incident.id, comm_id=comm_id)  # of this incident, and no other
    service(tenant=HOUSE_ID, comm_id=comm.id, by=request.staff.actor, at=clock.now(), **values)
    messages.success(request, said)
    return redirect("incident-comm", ref=incident.ref, comm_id=comm.id)


def _form(request: StaffRequest, incident: Incident, form: Any, title: str, back_url: str) -> HttpResponse:
    context = {"incident": incident, "form": form, "title": title, "back_url": back_url}
    return TemplateResponse(request, "incidents/comm_form.html", context, status=422 if form.is_bound else 200)


def _asked_tenant(request: StaffRequest, incident: Incident) -> Any:
    """The organisation in `?about=`; None where it is for everybody. Raises NotFound for one that is not concerned."""
    asked = request.GET.get("about", "")
    if not asked:
        return None
    found = {str(one.id): one for one in tenants.tenants_by_id(incident.tenants).values()}.get(asked)
    if found is None:
        raise NotFound("The incident does not concern such an organisation.")
    return found


def _asked_template(request: StaffRequest, is_public: bool) -> str:
    asked = request.GET.get("template", "")
    known = TEMPLATES.get(asked)
    if known is None or (known.audience == CommAudience.PUBLIC) != is_public:
        return "public_statement" if is_public else "admins_first"
    return asked


def _named(found: list[CustomerComm]) -> list[tuple[CustomerComm, Any]]:
    names = tenants.tenants_by_id(one.about_tenant for one in found if one.about_tenant)
    return [(one, names.get(one.about_tenant) if one.about_tenant else None) for one in found]


def _organisation(comm: CustomerComm) -> Any:
    return tenants.tenants_by_id([comm.about_tenant]).get(comm.about_tenant) if comm.about_tenant else None


def _others(incident: Incident, comm: CustomerComm) -> list[str]:
    """Customers that the text names and that it is not for."""
    names = [one.name for one in tenants.all_tenants() if one.id != comm.about_tenant]
    return policies.names_in(f"{comm.subject}\n{comm.body}", names)
