"""Feedback: what people said, what they did instead, what came of it downstream; and the widget, tried live."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.common import clock, paging
from agentops.common.pages import is_fragment, older_url, page_or_fragment, place
from agentops.traces.links import TraceLinks
from evals.queries import signals as queries
from evals.signalling import presenting, tokens
from evals.signalling.tokens import Bound
from tenants.access import TenantRequest
from tenants.roles import Permission

WEEKS = 8
SAID = 25


@require_GET
def quality_signals(request: TenantRequest) -> HttpResponse:
    """Eight weeks of it. For htmx the list of words alone."""
    tenant, at, cursor = request.access.tenant.id, clock.now(), paging.cursor(request.GET)
    action, links = place(request, "quality-signals"), TraceLinks.of(request)
    rows, more = queries.latest_feedback(tenant=tenant, cursor=cursor, limit=SAID)
    context: dict[str, Any] = {
        "said": [presenting.SaidLine(row, links.run(row.run_id)) for row in rows],
        "older_url": older_url(action, "", more.encode() if more else ""),
        "newest_url": action if cursor else "",
    }
    if not is_fragment(request):
        context |= _weeks(tenant, at)
    return page_or_fragment(request, "evals/signals.html", "evals/_said.html", context)


def _weeks(tenant: uuid.UUID, at: datetime) -> dict[str, Any]:
    """Figures and tables over the weeks: the page's, and nothing that the list of words waits for."""
    since = _monday(at) - timedelta(weeks=WEEKS - 1)
    words = queries.feedbacks(tenant=tenant, since=since, weeks=WEEKS)
    return {
        "feedback_command": _curl("feedback", '{"run_id": "…", "rating": "up"}'),
        "outcome_command": _curl(
            "outcomes", '{"run_id": "…", "idempotency_key": "…", "kind": "email.replied", "at": "…"}'
        ),
        "stats": presenting.stats(words.weeks, queries.unmatched_outcomes(tenant=tenant, at=at)),
        "figure": presenting.weeks_figure(words.weeks),
        "weeks": [presenting.WordsLine(presenting.week_words(week), said) for week, said in reversed(words.weeks)],
        "agents": [
            presenting.WordsLine(agent or "(run not finished, or not here)", said) for agent, said in words.agents
        ],
        "signals": [presenting.SignalLine(each) for each in queries.precisions(tenant=tenant, since=since)],
        "outcomes": [
            presenting.OutcomeLine(week) for week in queries.outcomes_by_agent_week(tenant=tenant, since=since)
        ],
    }


@require_GET
def feedback_widget(request: TenantRequest) -> HttpResponse:
    """How the widget gets onto a page, and the widget itself on the newest run, for those who may label."""
    tenant = request.access.tenant.id
    run = queries.newest_run(tenant=tenant)
    token = ""
    if run is not None and not hasattr(request, "staff") and request.access.may(Permission.QUALITY_LABEL):
        user = f"portal:{request.access.user.pk}"
        token = tokens.sign(Bound(tenant=tenant, run_id=run.run_id, user=user))
    context = {
        "token_command": _curl("feedback/tokens", '{"run_id": "…", "user": "…"}'),
        "script_lines": _script_lines(),
        "here_url": reverse("api-feedback-widget"),
        "run": run,
        "run_url": TraceLinks.of(request).run(run.run_id) if run else "",
        "token": token,
        "signals_url": place(request, "quality-signals"),
    }
    return TemplateResponse(request, "evals/feedback_widget.html", context)


def _curl(path: str, body: str) -> str:
    base = settings.PUBLIC_URL.rstrip("/")
    return f"curl -X POST {base}/api/v1/{path} -H 'Authorization: Bearer aok_…' -d '{body}'"


def _script_lines() -> str:
    base = settings.PUBLIC_URL.rstrip("/")
    return (
        f'<script src="{base}{static("js/feedback.js")}"\n'
        f'        data-token="…" data-url="{base}{reverse("api-feedback-widget")}" defer></script>'
    )


def _monday(at: datetime) -> datetime:
    """The begin of a moment's week, UTC."""
    return (at - timedelta(days=at.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
