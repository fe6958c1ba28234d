"""Eval sets: the list, one set with what it covers and how it changed, a case, a new one."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import linediff
from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.errors import DomainError, Forbidden, NotFound
from agentops.common.ids import trace_uuid
from agentops.common.pages import place, question, show_refusal
from evals import queries, services
from evals.errors import Unknown
from evals.forms.sets import CaseForm, SetForm
from evals.models import ReviewItem
from evals.queries.sets import KeyedCase
from evals.sets import cases, checking, coverage, difference, drafting, files, tapes
from evals.sets.cases import Case
from evals.views.shared import actor, may_manage
from tenants.access import TenantRequest

_EMPTY_CASE = """title: What must hold, in one sentence
tags: []
input: What the user says.
tools:
- tool: a_tool
  arguments: {id: 1}
  result: {state: sent}
expect:
- kind: contains
  all: [sent]
- kind: must_not_call
  tools: [delete_everything]
"""


@require_http_methods(["GET", "POST"])
def eval_sets(request: TenantRequest) -> HttpResponse:
    """Every set; those who manage can make one."""
    tenant = request.access.tenant.id
    form = SetForm(request.POST if request.method == "POST" else None)
    if is_change(request) and form.is_valid():
        try:
            made = services.create_set(tenant=tenant, by=actor(request), at=clock.now(), **form.cleaned_data)
            return redirect(place(request, "eval-set", eval_set=made.name))
        except DomainError as refusal:
            show_refusal(form, refusal)
    context = {
        "sets": queries.eval_sets(tenant=tenant),
        "archived": queries.eval_sets(tenant=tenant, archived=True),
        "form": form,
        "may_manage": may_manage(request),
        "import_command": f"manage.py evalset import DIR --tenant {request.access.tenant.slug} --set NAME",
    }
    return TemplateResponse(request, "evals/eval_sets.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def eval_set(request: TenantRequest, eval_set: str) -> HttpResponse:
    """One set: its cases by tag, what they cover, its revisions and how two of them differ. POST puts it away or back."""
    tenant = request.access.tenant.id
    found = queries.eval_set(tenant=tenant, name=eval_set)
    if is_change(request):
        is_archived = found.archived_at is None
        services.archive_set(
            tenant=tenant, eval_set=found.id, is_archived=is_archived, by=actor(request), at=clock.now()
        )
        return redirect(place(request, "eval-set", eval_set=eval_set))
    revisions = queries.revisions(tenant=tenant, eval_set=found.id)
    shown = queries.cases_of(tenant=tenant, revision=revisions[0].id)
    tag = request.GET.get("tag", "")[:60]
    context = {
        "eval_set": found,
        "revisions": revisions,
        "revision": revisions[0],
        "cases": [each for each in shown if not tag or tag in each.case.tags],
        "tag": tag,
        "count": len(shown),
        "coverage": coverage.of_cases((each.case for each in shown), known_tools=_known_tools(tenant)),
        "compared": _compared(tenant, found.id, request),
        "may_manage": may_manage(request),
        "export_command": f"manage.py evalset export {eval_set} --tenant {request.access.tenant.slug} --out {eval_set}",
    }
    return TemplateResponse(request, "evals/eval_set.html", context)


@require_http_methods(["GET", "POST"])
def eval_case(request: TenantRequest, eval_set: str, case_key: str) -> HttpResponse:
    """One case of the newest revision: in words, and as YAML to be changed."""
    tenant = request.access.tenant.id
    found = queries.eval_set(tenant=tenant, name=eval_set)
    newest = queries.revision(tenant=tenant, eval_set=found.id)
    case = _case(tenant, newest.id, case_key)
    said = {"key": case_key, "text": files.write_text(case.case), "replaces": case.case.digest}
    form = CaseForm(request.POST if request.method == "POST" else None, initial=said, is_new=False)
    if is_change(request) and form.is_valid():
        try:
            written = services.put_case(
                tenant=tenant,
                eval_set=found.id,
                key=case_key,
                case=form.case,
                replaces=form.cleaned_data["replaces"],
                note=form.cleaned_data["note"],
                by=actor(request),
                at=clock.now(),
            )
            messages.success(
                request, f"Saved as revision {written.revision.number}." if written.is_new else "Nothing changed."
            )
            return redirect(place(request, "eval-case", eval_set=eval_set, case_key=case_key))
        except DomainError as refusal:
            show_refusal(form, refusal)
    context = {
        "eval_set": found,
        "revision": newest,
        "found": case,
        "expectations": _expectations(case.case),
        "versions": _versions(tenant, found.id, case_key),
        "form": form,
        "may_manage": may_manage(request) and found.archived_at is None,
    }
    return TemplateResponse(request, "evals/eval_case.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def eval_case_removal(request: TenantRequest, eval_set: str, case_key: str) -> HttpResponse:
    """Leave a case out from the next revision on."""
    tenant = request.access.tenant.id
    found = queries.eval_set(tenant=tenant, name=eval_set)
    back = place(request, "eval-set", eval_set=eval_set)
    if request.method == "POST":
        services.remove_case(tenant=tenant, eval_set=found.id, key=case_key, note="", by=actor(request), at=clock.now())
        messages.success(request, f"{case_key} is left out from now on.")
        return redirect(back)
    _case(tenant, queries.revision(tenant=tenant, eval_set=found.id).id, case_key)
    return question(
        request, "evals/_case_removal.html", {"key": case_key}, title="Leave this case out?", back=(back, eval_set)
    )


@require_http_methods(["GET", "POST"])
def eval_case_new(request: TenantRequest) -> HttpResponse:
    """A case of somebody's own, or one drafted from a run (`?run=`), perhaps an item of the review queue (`&item=`)."""
    tenant = request.access.tenant.id
    sets = [each.name for each in queries.eval_sets(tenant=tenant)]
    initial: dict[str, Any] = {"text": _EMPTY_CASE, "eval_set": request.GET.get("set", "")}
    draft = _draft(request, tenant)
    if draft is not None:
        initial |= draft
    form = CaseForm(request.POST if request.method == "POST" else None, initial=initial, is_new=True, sets=sets)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            services.put_case(
                tenant=tenant,
                eval_set=queries.eval_set(tenant=tenant, name=said["eval_set"]).id,
                key=said["key"],
                case=form.case,
                replaces="",
                note=said["note"],
                by=actor(request),
                at=clock.now(),
            )
            _note(request, tenant, said["eval_set"], said["key"])
            messages.success(request, f"{said['key']} is a case of {said['eval_set']} now.")
            return redirect(place(request, "eval-case", eval_set=said["eval_set"], case_key=said["key"]))
        except DomainError as refusal:
            show_refusal(form, refusal)
    context = {"form": form, "sets": sets, "is_drafted": draft is not None, "run": request.GET.get("run", "")}
    return TemplateResponse(request, "evals/eval_case_new.html", context, status=400 if form.errors else 200)


@require_GET
def case_difference(request: TenantRequest, eval_set: str, case_key: str) -> HttpResponse:
    """What a case said before and after, line by line: `?before=` and `?after=` are digests, else the last change."""
    tenant = request.access.tenant.id
    found = queries.eval_set(tenant=tenant, name=eval_set)
    listed = queries.case_versions(tenant=tenant, eval_set=found.id, key=case_key)
    versions = {each.digest: each for each in listed}
    before = versions.get(request.GET.get("before", listed[min(1, len(listed) - 1)].digest))
    after = versions.get(request.GET.get("after", listed[0].digest))
    if before is None or after is None:
        raise Unknown("There is no such version of this case.")
    context = {
        "eval_set": found,
        "key": case_key,
        "before": before,
        "after": after,
        "lines": linediff.between(cases.kept(before.content).content, cases.kept(after.content).content),
    }
    return TemplateResponse(request, "evals/case_difference.html", context)


def is_change(request: TenantRequest) -> bool:
    """Is it a POST? Raises Forbidden for those who may only look."""
    if request.method == "POST" and not may_manage(request):
        raise Forbidden("You may look at this, and not change it.")
    return request.method == "POST"


def _case(tenant: uuid.UUID, revision: uuid.UUID, key: str) -> KeyedCase:
    found = next((each for each in queries.cases_of(tenant=tenant, revision=revision) if each.key == key), None)
    if found is None:
        raise Unknown("There is no such case in the newest revision.")
    return found


def _expectations(case: Case) -> list[dict[str, str]]:
    return [{"kind": each["kind"], "said": checking.sentence(each)} for each in case.expect]


def _versions(tenant: uuid.UUID, eval_set: uuid.UUID, key: str) -> list[dict[str, Any]]:
    """The newest first, each with the digest of the one before it."""
    found = queries.case_versions(tenant=tenant, eval_set=eval_set, key=key)
    return [
        {"version": each, "before": next_.digest if next_ else ""}
        for each, next_ in zip(found, [*found[1:], None], strict=True)
    ]


def _compared(tenant: uuid.UUID, eval_set: uuid.UUID, request: TenantRequest) -> dict[str, Any] | None:
    """Two revisions, `?from=` and `?to=`; None where they are not named."""
    texts = [request.GET.get(name, "") for name in ("from", "to")]
    if not all(text.isascii() and text.isdigit() and len(text) < 7 for text in texts):
        return None
    old, new = (
        queries.digests_of(
            tenant=tenant, revision=queries.revision(tenant=tenant, eval_set=eval_set, number=int(text)).id
        )
        for text in texts
    )
    found = difference.of_sets(old, new)
    changed = [{"key": key, "query": urlencode({"before": old[key], "after": new[key]})} for key in found.changed]
    return {"from": int(texts[0]), "to": int(texts[1]), "found": found, "changed": changed}


def _draft(request: TenantRequest, tenant: uuid.UUID) -> dict[str, Any] | None:
    """What the form begins with where a run is named. Raises NotFound."""
    text = request.GET.get("run", "")
    if not text:
        return None
    try:
        run_id = trace_uuid(text.lower())
    except ValueError as error:
        raise NotFound("There is no such run.") from error
    tape = tapes.of_run(tenant=tenant, run_id=run_id)
    provenance = {"kind": "trace", "id": run_id.hex, "label": f"run of {tape['agent']}"[:500]}
    item = _item(request.GET.get("item", ""), tenant, run_id)
    if item is not None:
        provenance = {"kind": "queue", "id": run_id.hex, "label": f"review item {item.id}"}
    content = drafting.of_tape(tape, provenance=provenance)
    return {
        "key": f"run-{run_id.hex[:12]}",
        "text": files.write_text(Case({name: part for name, part in content.items() if part not in (None, [])})),
    }


def _note(request: TenantRequest, tenant: uuid.UUID, eval_set: str, key: str) -> None:
    """Tell the item of the review queue, where one led here, what came of it."""
    try:
        run_id = trace_uuid(request.GET.get("run", "").lower())
    except ValueError:
        return
    item = _item(request.GET.get("item", ""), tenant, run_id)
    if item is not None:
        services.note_led_to(
            tenant=tenant,
            item=item.id,
            kind="case",
            target=f"{eval_set}/{key}",
            label=f"{key} in {eval_set}",
            by=actor(request),
            at=clock.now(),
        )


def _item(text: str, tenant: uuid.UUID, run_id: uuid.UUID) -> ReviewItem | None:
    try:
        return ReviewItem.objects.filter(tenant_id=tenant, id=uuid.UUID(text), run_id=run_id).first()
    except ValueError:
        return None


def _known_tools(tenant: uuid.UUID) -> list[str]:
    """What the newest version of each agent is granted."""
    found: set[str] = set()
    for summary in catalog.agents(tenant=tenant):
        versions = catalog.agent(tenant=tenant, name=summary.name).versions
        found |= {grant.tool for grant in versions[0].grants if grant.revoked_at is None} if versions else set()
    return sorted(found)
