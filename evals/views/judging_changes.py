"""Rubrics, endpoints, judges, assignments and rules of checks: the pages that change them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import place, question
from evals.forms import judging as of
from evals.queries import judging_pages as pages
from evals.services import judging as services
from evals.services.judging.judges import DEFAULTS
from evals.types import JudgeState
from evals.views.shared import actor
from tenants.access import TenantRequest

_ADVANCED = ("output", "temperature", "max_output_tokens", "timeout_seconds")


@require_http_methods(["GET", "POST"])
def rubric_new(request: TenantRequest) -> HttpResponse:
    """Make a rubric, or (`?of=` the id of one) a further version of it."""
    initial: dict[str, Any] = {"content": of.EXAMPLE}
    if request.GET.get("of"):
        found, versions = pages.rubric(tenant=request.access.tenant.id, rubric_id=_uuid(request.GET["of"]))
        initial = {"name": found.name, "content": of.as_yaml(versions[0].content)}
    form = of.RubricForm(request.POST or None, initial=initial)

    def save() -> HttpResponse:
        said = form.cleaned_data
        version = services.save_rubric(**_by(request), name=said["name"], content=said["content"], note=said["note"])
        messages.success(request, f"Version {version.number} is saved. A judge uses it once you say so.")
        return redirect(place(request, "rubric", rubric_id=version.rubric_id))

    return _answer(
        request,
        form,
        save,
        title="Write a rubric",
        sentence="What good means, in criteria. A version is never edited: a change is a further one.",
    )


@require_http_methods(["GET", "POST"])
def endpoint_new(request: TenantRequest) -> HttpResponse:
    """Make an endpoint, or (`?of=` the id of one) change it."""
    initial: dict[str, Any] = {}
    if request.GET.get("of"):
        found = pages.endpoint(tenant=request.access.tenant.id, endpoint_id=_uuid(request.GET["of"]))
        names = ("name", "kind", "base_url", "max_in_flight", "requests_per_minute")
        initial = {name: getattr(found, name) for name in names}
    form = of.EndpointForm(request.POST or None, initial=initial)
    if initial:
        form.fields["name"].disabled = True
        form.fields["key"].help_text = "Empty keeps the one that is there, as long as the address stays."

    def save() -> HttpResponse:
        found = services.save_endpoint(**_by(request), **form.cleaned_data)
        messages.success(request, f"{found.name} is saved.")
        return redirect(place(request, "judges"))

    return _answer(
        request,
        form,
        save,
        title="Where judges are asked",
        sentence="An endpoint that speaks the API of OpenAI or Anthropic.",
    )


@require_http_methods(["GET", "POST"])
def judge_new(request: TenantRequest) -> HttpResponse:
    """Make a judge, or (`?of=` the id of one) a further version of it."""
    tenant = request.access.tenant.id
    initial: dict[str, Any] = {"rubric_version": request.GET.get("rubric", "")}
    is_further = bool(request.GET.get("of"))
    if is_further:
        found = pages.judge(tenant=tenant, judge_id=_uuid(request.GET["of"]))
        initial = {
            "name": found.name,
            "rubric_version": str(found.rubric_version_id),
            "endpoint": str(found.endpoint_id),
            "provider": found.provider,
            "model": found.model,
            "family": found.family,
            **DEFAULTS,
            **found.settings,
        }
    form = of.JudgeForm(
        request.POST or None,
        initial=initial,
        rubrics=pages.rubric_versions(tenant=tenant),
        endpoints=pages.endpoints(tenant=tenant),
    )
    if is_further:
        form.fields["name"].disabled = True

    def save() -> HttpResponse:
        said = form.cleaned_data
        made = services.save_judge(
            **_by(request),
            name=said["name"],
            rubric_version=_uuid(said["rubric_version"]),
            endpoint=_uuid(said["endpoint"]),
            provider=said["provider"],
            model=said["model"],
            family=said["family"],
            settings=form.settings(),
        )
        messages.success(request, f"Version {made.number} of {made.name} judges from now on.")
        return redirect(place(request, "judge", judge_id=made.id))

    sentence = "A rubric, a model and settings. Its model must be of another family than the agent's it judges."
    return _answer(request, form, save, title="Make a judge", sentence=sentence, advanced=_ADVANCED)


@require_http_methods(["GET", "POST"])
def assignment_new(request: TenantRequest) -> HttpResponse:
    """Say which share of an agent's runs a judge sees."""
    tenant = request.access.tenant.id
    form = of.AssignmentForm(
        request.POST or None,
        initial={"agent": request.GET.get("agent", ""), "judge_name": request.GET.get("judge", "")},
        agents=pages.agent_names(tenant=tenant, at=clock.now()),
        judges=pages.judge_names(tenant=tenant),
    )

    def save() -> HttpResponse:
        said = form.cleaned_data
        services.assign_judge(
            **_by(request), agent=said["agent"], judge_name=said["judge_name"], rate=round(said["percent"] / 100, 8)
        )
        messages.success(request, "Saved. It holds for runs that finish from now on.")
        return redirect(place(request, "judges"))

    return _answer(request, form, save, title="Assign a judge", sentence="Which share of an agent's runs it sees.")


@require_http_methods(["GET", "POST"])
def assignment_removal(request: TenantRequest, assignment_id: uuid.UUID) -> HttpResponse:
    """Take an assignment back."""
    if request.method == "POST":
        services.unassign_judge(**_by(request), assignment=assignment_id)
        messages.success(request, "Removed. Runs that wait for the judge are judged all the same.")
        return redirect(place(request, "judges"))
    lines = [one for one in pages.assignments(tenant=request.access.tenant.id) if one.id == assignment_id]
    context = {"line": lines[0] if lines else None}
    return question(
        request,
        "evals/judging/_assignment_removal.html",
        context,
        title="Judge these runs no more?",
        back=(place(request, "judges"), "Judges"),
        status=200 if lines else 404,
    )


@require_http_methods(["GET", "POST"])
def judge_pause(request: TenantRequest, judge_id: uuid.UUID) -> HttpResponse:
    """Let a judge rest, or go on."""
    if request.method == "GET":
        is_paused = pages.judge(tenant=request.access.tenant.id, judge_id=judge_id).state == JudgeState.PAUSED
        sentence = (
            "It judges again, first what waits."
            if is_paused
            else "It judges nothing until it goes on; what waits, waits."
        )
        word, action = ("Let it go on", "resume") if is_paused else ("Pause", "pause")
        return _asked(request, judge_id, sentence, word, action)
    found = services.pause_judge(**_by(request), judge=judge_id, is_paused=request.POST.get("action") == "pause")
    is_paused = found.state == JudgeState.PAUSED
    messages.success(request, f"{found.name} is paused." if is_paused else f"{found.name} goes on.")
    return redirect(place(request, "judge", judge_id=judge_id))


@require_http_methods(["GET", "POST"])
def judge_labelled(request: TenantRequest, judge_id: uuid.UUID) -> HttpResponse:
    """Have a judge look at the runs that people labelled, so that both can be compared."""
    if request.method == "GET":
        return _asked(
            request, judge_id, "It judges the runs that people labelled by its rubric.", "Judge them", "judge"
        )
    count = services.judge_labelled(**_by(request), judge=judge_id)
    messages.success(
        request, f"{count} labelled run{'' if count == 1 else 's'} will be judged; the comparison follows by itself."
    )
    return redirect(place(request, "judge", judge_id=judge_id))


@require_http_methods(["GET", "POST"])
def check_rules(request: TenantRequest) -> HttpResponse:
    """Words that answers must not hold, and the schema they must fit (`?agent=` an agent's own)."""
    tenant, agent = request.access.tenant.id, request.GET.get("agent", "")
    found = next((one for one in pages.check_rules(tenant=tenant) if one.agent == agent), None)
    initial = {"agent": agent}
    if found is not None:
        initial |= {"words": "\n".join(found.words), "output_schema": found.output_schema}
    names = sorted({*pages.agent_names(tenant=tenant, at=clock.now()), *([agent] if found and agent else [])})
    form = of.CheckRulesForm(request.POST or None, initial=initial, agents=names)

    def save() -> HttpResponse:
        services.set_check_rules(**_by(request), **form.cleaned_data)
        messages.success(request, "Saved. It holds for runs that finish from now on.")
        return redirect(place(request, "judges"))

    return _answer(
        request,
        form,
        save,
        title="What answers are checked for",
        sentence="Without a model, on every run. An agent's own rules stand for those of all others.",
    )


def _asked(request: TenantRequest, judge_id: uuid.UUID, sentence: str, word: str, action: str) -> HttpResponse:
    found = pages.judge(tenant=request.access.tenant.id, judge_id=judge_id)
    back = (place(request, "judge", judge_id=judge_id), found.name)
    context = {"sentence": sentence, "word": word, "action": action}
    return question(request, "evals/judging/_judge_question.html", context, title=f"{word}: {found.name}", back=back)


def _answer(
    request: TenantRequest,
    form: forms.Form,
    save: Callable[[], HttpResponse],
    *,
    title: str,
    sentence: str,
    advanced: tuple[str, ...] = (),
) -> HttpResponse:
    """The form; or, where it is sent and taken, what follows."""
    if request.method == "POST" and form.is_valid():
        try:
            return save()
        except DomainError as refusal:
            _show(form, refusal)
    shown = [form[name] for name in form.fields if name not in advanced]
    context = {
        "form": form,
        "shown": shown,
        "advanced": [form[name] for name in advanced],
        "title": title,
        "sentence": sentence,
        "back_url": place(request, "judges"),
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "evals/judging/form.html", context, status=status)


def _show(form: forms.Form, refusal: DomainError) -> None:
    """Each problem at the field whose part it is: a pointer into a rubric stands before its words."""
    if not refusal.problems:
        form.add_error(None, refusal.detail)
    for problem in refusal.problems:
        field, _, rest = problem.pointer.strip("/").partition("/")
        if field == "settings" and rest in form.fields:
            form.add_error(rest, problem.detail)
        elif field in form.fields and not (field == "name" and form.fields["name"].disabled):
            form.add_error(field, f"{problem.pointer}: {problem.detail}." if rest else problem.detail)
        else:
            target = "content" if "content" in form.fields else None
            form.add_error(target, f"{problem.pointer}: {problem.detail}." if problem.pointer else problem.detail)


def _by(request: TenantRequest) -> dict[str, Any]:
    return {"tenant": request.access.tenant.id, "by": actor(request), "at": clock.now()}


def _uuid(text: str) -> uuid.UUID:
    """Of an id in a query or a choice; the page of nothing for anything else."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)
