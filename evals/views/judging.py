"""Judges, rubrics, and what was judged: the pages that read."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from agentops.catalog import linediff
from agentops.common import clock, paging
from agentops.common.pages import older_url, page_or_fragment, place
from evals.forms.judging import as_yaml
from evals.judging import checks
from evals.queries import judging as queries
from evals.queries import judging_pages as pages
from evals.types import JudgementState, Subject
from evals.views.shared import may_manage
from tenants.access import TenantRequest

_STATES = [
    ("open", "Waiting or with the judge"),
    (JudgementState.SCORED.value, JudgementState.SCORED.label),
    ("none", "Without a score"),
    (JudgementState.FAILED.value, JudgementState.FAILED.label),
    (JudgementState.SKIPPED.value, JudgementState.SKIPPED.label),
]


@require_GET
def judges(request: TenantRequest) -> HttpResponse:
    """Who judges what, by which rubric, where, and whether people agree."""
    tenant, at = request.access.tenant.id, clock.now()
    lines = pages.judge_lines(tenant=tenant, at=at)
    context = {
        "lines": [_judge_line(tenant, line) for line in lines],
        "rubrics": pages.newest_rubrics(tenant=tenant),
        "endpoints": pages.endpoints(tenant=tenant),
        "assignments": pages.assignments(tenant=tenant),
        "check_rules": pages.check_rules(tenant=tenant),
        "checks": checks.TITLES,
        "now": at,
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/judging/judges.html", context)


@require_GET
def judge(request: TenantRequest, judge_id: uuid.UUID) -> HttpResponse:
    """One version of a judge: what it is, how far people agree, where they do not."""
    tenant = request.access.tenant.id
    found = pages.judge(tenant=tenant, judge_id=judge_id)
    may, sentence = queries.may_gate(tenant, found.name)
    context = {
        "judge": found,
        "versions": pages.versions_of(found),
        "content": pages.content_of(found.rubric_version),
        "compared": pages.compared(found),
        "labelled": pages.labelled_runs(found),
        "disagreements": pages.disagreements(found),
        "may_gate": may,
        "gate_sentence": sentence,
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/judging/judge.html", context)


@require_GET
def rubric(request: TenantRequest, rubric_id: uuid.UUID) -> HttpResponse:
    """A rubric: the version that is asked for (`?version=`, else the newest), and what it changed."""
    found, versions = pages.rubric(tenant=request.access.tenant.id, rubric_id=rubric_id)
    chosen = next((one for one in versions if str(one.number) == request.GET.get("version", "")), versions[0])
    before = next((one for one in versions if one.number == chosen.number - 1), None)
    content = pages.content_of(chosen)
    context = {
        "rubric": found,
        "versions": versions,
        "chosen": chosen,
        "content": content,
        "text": as_yaml(chosen.content),
        "before": before,
        "lines": linediff.between(_plain(before), _plain(chosen)) if before else [],
        "may_manage": may_manage(request),
    }
    return TemplateResponse(request, "evals/judging/rubric.html", context)


@require_GET
def judgements(request: TenantRequest) -> HttpResponse:
    """What was judged and what was not, with the reason."""
    tenant, params = request.access.tenant.id, request.GET
    only = pages.JudgementFilter(**{name: params.get(name, "")[:200] for name in ("state", "judge", "agent", "code")})
    page = pages.judgements(tenant=tenant, only=only, cursor=paging.cursor(params))
    said = {name: value for name in ("state", "judge", "agent", "code") if (value := getattr(only, name))}
    context = {
        "rows": [_judgement_row(request, one) for one in page.rows],
        "only": only,
        "states": _STATES,
        "codes": [(code, words.capitalize()) for code, words in queries.CODES.items()],
        "judge_names": [(name, name) for name in pages.judge_names(tenant=tenant)],
        "agent_names": [(name, name) for name in pages.agent_names(tenant=tenant, at=clock.now())],
        "older_url": older_url(request.path, urlencode(said), page.next.encode() if page.next else ""),
        "is_filtered": bool(said),
    }
    return page_or_fragment(request, "evals/judging/judgements.html", "evals/judging/_judgements.html", context)


def _judge_line(tenant: uuid.UUID, line: pages.JudgeLine) -> dict[str, Any]:
    may, sentence = queries.may_gate(tenant, line.judge.name)
    waiting = line.counts.get(JudgementState.PLANNED, 0) + line.counts.get(JudgementState.RUNNING, 0)
    return {"line": line, "judge": line.judge, "may_gate": may, "gate_sentence": sentence, "waiting": waiting}


def _judgement_row(request: TenantRequest, found: Any) -> dict[str, Any]:
    is_run = found.subject == Subject.RUN
    run_url = place(request, "run", run_id=found.subject_id.hex) if is_run else ""
    return {"judgement": found, "sentence": queries.sentence_of(found), "run_url": run_url}


def _plain(version: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(version.content)
    return found
