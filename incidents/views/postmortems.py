"""The postmortem of one incident: read, written, reviewed, taken along; and its action items."""

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
from agentops.common.errors import DomainError, InvalidInput
from agentops.common.pages import question, show_refusal
from incidents.forms import learning as forms
from incidents.markdown_export import markdown
from incidents.models import ActionItem, Evidence, Why
from incidents.policies import causes as taxonomy
from incidents.policies import learning as policies
from incidents.queries import learning as queries
from incidents.queries import postmortem_facts as facts
from incidents.queries.named import incident_called
from incidents.services import action_items, learning, postmortems
from incidents.services.postmortem_text import TEXTS
from incidents.types import ActionState, PostmortemState
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission


@require_GET
def incident_postmortem(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    at = clock.now()
    told = facts.told_of(incident)
    postmortem = told.postmortem
    context: dict[str, Any] = {
        "incident": incident,
        "told": told,
        "postmortem": postmortem,
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
        "person": request.staff.user,
        "actor": request.staff.actor.label,
        "actions": [(one, queries.shown_state(one, at)) for one in told.actions],
        "now": at,
    }
    if postmortem is not None:
        written = [("Summary", postmortem.summary), ("Impact", postmortem.impact), ("What went well", postmortem.went_well),
                   ("What went badly", postmortem.went_badly), ("Where we were lucky", postmortem.lucky)]  # fmt: skip
        is_draft = postmortem.state == PostmortemState.DRAFT
        said = "\n".join([*(words for _, words in written), *(one.answer for one in told.whys)])
        context |= {
            "written": written,
            "lacks": policies.missing(facts.contents_of(told)) if is_draft else [],
            "blame": policies.blame_in(said),
            "whys": _whys(told),
            "root_words": taxonomy.words(told.root.kind, told.root.detail_kind) if told.root else "",
            "factors": [(taxonomy.words(one.kind, one.detail_kind), one.text) for one in told.factors],
            "due_at": policies.due_at(severity=incident.severity, resolved_at=incident.resolved_at),
            "is_editable": postmortem.state in (PostmortemState.DRAFT, PostmortemState.IN_REVIEW),
        }
    return TemplateResponse(request, "incidents/postmortem.html", context)


@require_POST
def postmortem_beginning(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    learning.begin_postmortem(tenant=HOUSE_ID, incident_id=incident.id, by=request.staff.actor, at=clock.now())
    return redirect("incident-postmortem", ref=incident.ref)


@require_http_methods(["GET", "POST"])
def postmortem_text(request: StaffRequest, ref: str) -> HttpResponse:
    """Write it. Whoever comes second is told, and keeps their words on the page."""
    incident = incident_called(ref)
    told = facts.told_of(incident)
    if told.postmortem is None:
        return redirect("incident-postmortem", ref=incident.ref)
    initial: dict[str, Any] = {"version": told.postmortem.version}
    initial |= {name: getattr(told.postmortem, name) for name in TEXTS}
    for one in told.whys:
        initial |= {
            f"question_{one.number}": one.question,
            f"answer_{one.number}": one.answer,
            f"evidence_{one.number}": str(one.evidence_id or ""),
            f"shown_{one.number}": one.evidence_text,
        }
    kept = [(str(one.id), evidence_label(one)) for one in facts.evidence_of(incident)]
    form = forms.PostmortemForm(request.POST or None, initial=initial, evidence=kept)
    if request.method == "POST" and form.is_valid():
        try:
            postmortems.save_postmortem(
                tenant=HOUSE_ID, incident_id=incident.id, **form.said(), by=request.staff.actor, at=clock.now()
            )
            messages.success(request, "Saved.")
            return redirect("incident-postmortem", ref=incident.ref)
        except DomainError as refusal:
            show_refusal(form, refusal)
    context = {"incident": incident, "form": form, "told": told, "least": policies.WHYS_LEAST}
    return TemplateResponse(request, "incidents/postmortem_form.html", context, status=422 if form.is_bound else 200)


@require_POST
def postmortem_submission(request: StaffRequest, ref: str) -> HttpResponse:
    return _stepped(request, ref, postmortems.submit_postmortem, "Submitted. Another person reads it now.")


@require_POST
def postmortem_review(request: StaffRequest, ref: str) -> HttpResponse:
    return _stepped(request, ref, postmortems.review_postmortem, "Reviewed.")


@require_POST
def postmortem_publication(request: StaffRequest, ref: str) -> HttpResponse:
    return _stepped(request, ref, postmortems.publish_postmortem, "Published.")


@require_http_methods(["GET", "POST"])
def postmortem_return(request: StaffRequest, ref: str) -> HttpResponse:
    """Back to its draft, with the reason."""
    incident = incident_called(ref)

    def save(reason: str) -> HttpResponse:
        postmortems.return_postmortem(
            tenant=HOUSE_ID, incident_id=incident.id, reason=reason, by=request.staff.actor, at=clock.now()
        )
        return redirect("incident-postmortem", ref=incident.ref)

    sentence = "It is a draft again; a review that was given lapses. The reason stands in the timeline."
    return _asked(request, incident.ref, save, "Send it back?", sentence, "Send it back", "Leave it")


@require_GET
def postmortem_export(request: StaffRequest, ref: str) -> HttpResponse:
    """The whole of it as a Markdown file."""
    incident = incident_called(ref)
    told = facts.told_of(incident)
    if told.postmortem is None:
        return redirect("incident-postmortem", ref=incident.ref)
    response = HttpResponse(markdown(told), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{incident.ref}-postmortem.md"'
    return response


# -- action items -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def action_new(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    form = forms.ActionForm(request.POST or None, people=_people())

    def save(values: dict[str, Any]) -> None:
        action_items.add_action(
            tenant=HOUSE_ID, incident_id=incident.id, **values, by=request.staff.actor, at=clock.now()
        )

    return _action_form(request, incident, form, save, "Add an action item")


@require_http_methods(["GET", "POST"])
def action_change(request: StaffRequest, ref: str, action_id: uuid.UUID) -> HttpResponse:
    incident = incident_called(ref)
    action = queries.action_of(incident_id=incident.id, action_id=action_id)
    names = ("title", "kind", "due_on", "tracker_url")
    initial = {**{name: getattr(action, name) for name in names}, "owner": action.owner_id or ""}
    form = forms.ActionForm(request.POST or None, initial=initial, people=_people())

    def save(values: dict[str, Any]) -> None:
        action_items.change_action(
            tenant=HOUSE_ID, action_id=action.id, **values, by=request.staff.actor, at=clock.now()
        )

    return _action_form(request, incident, form, save, "Change an action item", action=action)


@require_POST
def action_done(request: StaffRequest, ref: str, action_id: uuid.UUID) -> HttpResponse:
    """Its owner says so, whatever their role."""
    return _moved(request, ref, action_id, action_items.finish_action)


@require_POST
def action_verification(request: StaffRequest, ref: str, action_id: uuid.UUID) -> HttpResponse:
    return _moved(request, ref, action_id, action_items.verify_action)


@require_http_methods(["GET", "POST"])
def action_drop(request: StaffRequest, ref: str, action_id: uuid.UUID) -> HttpResponse:
    """It will not be done; or, where it is over, it is to be done after all."""
    incident = incident_called(ref)
    action = queries.action_of(incident_id=incident.id, action_id=action_id)
    is_open = action.state == ActionState.OPEN
    service = action_items.drop_action if is_open else action_items.reopen_action

    def save(reason: str) -> HttpResponse:
        return _moved(request, ref, action_id, service, reason=reason)

    if is_open:
        words = ("Drop this?", "It will not be done.", "Drop it", "Keep it")
    else:
        words = ("Open this again?", "It is to be done after all.", "Open it again", "Leave it")
    title, sentence, word, keep = words
    return _asked(request, incident.ref, save, title, f"“{action.title}”. {sentence}", word, keep)


# -- parts ------------------------------------------------------------------------------------------------------------


def evidence_label(found: Evidence) -> str:
    return f"{found.get_kind_display()}: {(found.label or found.source)[:90]}"


def _whys(told: facts.Told) -> list[tuple[Why, list[str]]]:
    """Each with what shows it."""
    ids = [one.evidence_id for one in told.whys if one.evidence_id]
    rows = Evidence.objects.filter(tenant_id=HOUSE_ID, incident_id=told.incident.id, id__in=ids).defer("body")
    kept = {one.id: evidence_label(one) for one in rows} if ids else {}
    return [(one, [*([one.evidence_text] if one.evidence_text else []), *_kept_label(one, kept)]) for one in told.whys]


def _kept_label(why: Why, kept: dict[uuid.UUID, str]) -> list[str]:
    return [kept.get(why.evidence_id, "evidence that is no longer kept")] if why.evidence_id else []


def _people() -> list[tuple[int, str]]:
    return [(one.pk, one.get_full_name()) for one in tenants.staff_people()]


def _stepped(request: StaffRequest, ref: str, service: Any, said: str) -> HttpResponse:
    incident = incident_called(ref)
    form = forms.VersionForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("Which version? Open the postmortem, and use its button.")
    service(
        tenant=HOUSE_ID,
        incident_id=incident.id,
        version=form.cleaned_data["version"],
        by=request.staff.actor,
        at=clock.now(),
    )
    messages.success(request, said)
    return redirect("incident-postmortem", ref=incident.ref)


def _moved(request: StaffRequest, ref: str, action_id: uuid.UUID, service: Any, **values: Any) -> HttpResponse:
    incident = incident_called(ref)
    action = queries.action_of(incident_id=incident.id, action_id=action_id)
    service(tenant=HOUSE_ID, action_id=action.id, by=request.staff.actor, at=clock.now(), **values)
    return redirect(f"{reverse('incident-postmortem', kwargs={'ref': incident.ref})}#actions")


def _action_form(
    request: StaffRequest, incident: Any, form: Any, save: Any, title: str, *, action: ActionItem | None = None
) -> HttpResponse:
    back = reverse("incident-postmortem", kwargs={"ref": incident.ref})
    if request.method == "POST" and form.is_valid():
        try:
            save(form.cleaned_data)
            return redirect(f"{back}#actions")
        except DomainError as refusal:
            show_refusal(form, refusal)
    context = {"incident": incident, "form": form, "title": title, "back_url": back, "action": action}
    return TemplateResponse(request, "incidents/action_form.html", context, status=422 if form.is_bound else 200)


def _asked(request: StaffRequest, ref: str, save: Any, title: str, sentence: str, word: str, keep: str) -> HttpResponse:
    form = forms.ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found: HttpResponse = save(form.cleaned_data["reason"])
        return found
    return question(
        request,
        "incidents/_why_question.html",
        {"form": form, "sentence": sentence, "word": word, "keep": keep, "action": request.path},
        title=title,
        back=(reverse("incident-postmortem", kwargs={"ref": ref}), "Postmortem"),
        status=422 if form.is_bound else 200,
    )
