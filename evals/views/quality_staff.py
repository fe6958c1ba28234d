"""Quality over all organisations, for our own people."""

from __future__ import annotations

from datetime import UTC, timedelta

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.portal.templatetags.words import percent
from evals import queries
from evals.queries.everywhere import Line, lines
from evals.types import Metric
from evals.views import drift_figures as figures
from tenants import queries as tenants
from tenants.access import StaffRequest

DAYS, ROWS = 28, 100


@require_GET
def quality(request: StaffRequest) -> HttpResponse:
    """Every organisation's agents of four weeks, the worst scored first, and what drifts now."""
    until = clock.now().astimezone(UTC).date() + timedelta(days=1)
    found = lines(since=until - timedelta(days=DAYS), until=until)
    findings = queries.findings.open_everywhere(most=ROWS)
    organisations = tenants.tenants_by_id({*(line.tenant_id for line in found), *(one.tenant_id for one in findings)})
    page = max(1, int(text)) if (text := request.GET.get("page", "1")[:6]).isdigit() else 1
    kept = [line for line in found if line.tenant_id in organisations]
    here = reverse("staff-quality")
    context = {
        "rows": [
            {
                "tenant": organisations[line.tenant_id],
                "agent": line.agent,
                "runs": line.sums.runs,
                "judged": line.sums.score.n,
                "score": figures.cell(Metric.SCORE, line.sums),
                "refusals": figures.cell(Metric.REFUSALS, line.sums),
                "feedback": figures.cell(Metric.FEEDBACK, line.sums),
                "open": line.open_findings,
                "url": reverse("staff-tenant-quality", kwargs={"slug": organisations[line.tenant_id].slug}),
            }
            for line in kept[(page - 1) * ROWS : page * ROWS]
        ],
        "findings": [
            {
                "found": one,
                "tenant": organisations[one.tenant_id],
                "url": reverse(
                    "staff-tenant-drift-finding", kwargs={"slug": organisations[one.tenant_id].slug, "finding": one.id}
                ),
            }
            for one in findings
            if one.tenant_id in organisations
        ],
        "stats": _stats(kept, len(findings)),
        "newer_url": f"{here}?page={page - 1}" if page > 1 else "",
        "older_url": f"{here}?page={page + 1}" if page * ROWS < len(kept) else "",
    }
    return TemplateResponse(request, "evals/staff_quality.html", context)


def _stats(kept: list[Line], findings: int) -> list[dict[str, object]]:
    runs, judged = sum(line.sums.runs for line in kept), sum(line.sums.score.n for line in kept)
    return [
        {"label": "Organisations", "value": f"{len({line.tenant_id for line in kept}):,}"},
        {"label": "Runs", "value": f"{runs:,}", "note": f"of {len(kept):,} agents"},
        {"label": "Judged", "value": f"{judged:,}", "note": f"{percent(judged / runs)} of the runs" if runs else ""},
        {"label": "Open findings", "value": f"{findings:,}", "tone": "warn" if findings else ""},
    ]
