"""Reads of runs, spans and the health of ingest. Every function runs inside a scope and filters by tenant besides."""

from agentops.traces.models import Run
from agentops.traces.models.run import RunStatus
from agentops.traces.queries.checks import ledger_is_the_spans, runs_are_their_spans
from agentops.traces.queries.figures import RunFigures, run_figures
from agentops.traces.queries.health import dead_letters, ingest_by_tenant, ingest_health
from agentops.traces.queries.matching import (
    Call,
    Told,
    agents_of_runs,
    find_run,
    first_words,
    has_span,
    spans_of_calls,
    told_attribute,
)
from agentops.traces.queries.people import (
    all_tenants,
    colleagues,
    runs_by_id,
    searches_of,
    shares_of,
    tenants_by_id,
)
from agentops.traces.queries.repricing import ModelPreview, Preview, preview_repricing
from agentops.traces.queries.runs import (
    COUNT_MOST,
    RunPage,
    bounded_count,
    find_runs,
    get_run,
    has_runs,
    neighbours_by_prompt,
    run_exists,
)
from agentops.traces.queries.spans import (
    Children,
    SpanPage,
    around,
    children,
    events_of,
    first_spans,
    get_span,
    orphans,
    span_page,
)

__all__ = [
    "COUNT_MOST",
    "Call",
    "Children",
    "ModelPreview",
    "Preview",
    "Run",
    "RunFigures",
    "RunPage",
    "RunStatus",
    "SpanPage",
    "Told",
    "agents_of_runs",
    "all_tenants",
    "around",
    "bounded_count",
    "children",
    "colleagues",
    "dead_letters",
    "events_of",
    "find_run",
    "find_runs",
    "first_spans",
    "first_words",
    "get_run",
    "get_span",
    "has_runs",
    "has_span",
    "ingest_by_tenant",
    "ingest_health",
    "ledger_is_the_spans",
    "neighbours_by_prompt",
    "orphans",
    "preview_repricing",
    "run_exists",
    "run_figures",
    "runs_are_their_spans",
    "runs_by_id",
    "searches_of",
    "shares_of",
    "span_page",
    "spans_of_calls",
    "tenants_by_id",
    "told_attribute",
]
