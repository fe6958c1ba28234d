"""Tags of the trace templates: addresses that differ between customers and staff, rows, figures of ingest."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.template.loader import get_template
from django.utils.safestring import SafeString

from agentops.portal.templatetags.words import count, duration, duration_text
from agentops.traces import presenting
from agentops.traces.links import TraceLinks, plain_name
from agentops.traces.models import IngestMinute, Run, SpanRow
from agentops.traces.queries.health import Health
from agentops.traces.timeline import Event, Row
from agentops.traces.types import SpanKind
from tenants.types import Tenant

register = template.Library()
register.simple_tag(presenting.run_cost)
register.filter(presenting.query_words)
register.filter(plain_name)


# -- runs and spans ---------------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def run_url(context: Context, run: Run) -> str:
    return _links(context).run(run.run_id)


@register.simple_tag(takes_context=True)
def span_url(context: Context, span: SpanRow) -> str:
    return _links(context).span(span.run_id, span.span_id)


@register.simple_tag
def run_took(run: Run) -> SafeString:
    return duration((run.ended_at - run.started_at).total_seconds(), "s")


@register.simple_tag
def span_took(span: SpanRow) -> SafeString:
    return duration((span.ended_at - span.started_at).total_seconds(), "s")


@register.filter
def kind_name(span: SpanRow) -> str:
    return SpanKind(span.kind).name.lower()


@register.simple_tag(takes_context=True)
def span_lines(context: Context, rows: Sequence[Row]) -> SafeString:
    """Rows of the waterfall; a folded one knows where its children are, and loads them when it is first unfolded."""
    links, run = _links(context), context["run"]
    selected = None if context.get("decision") else context.get("span")
    line, other = get_template("components/span_row.html"), get_template("traces/_other_row.html")
    found = []
    for row in rows:
        if row.event is not None:
            found.append(line.render({"row": _event_line(row, row.event, context.get("decision"))}))
        elif row.span is None:
            url = _children_url(links, run, row.more_of, row.depth, row.more_after.encode() if row.more_after else "")
            found.append(other.render({"row": row, "url": url}))
        else:
            found.append(line.render({"row": _line(row, row.span, links, run, selected)}))
    return SafeString("".join(found))


def _line(row: Row, span: SpanRow, links: TraceLinks, run: Run, selected: SpanRow | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": links.span(run.run_id, span.span_id),
        "name": plain_name(span.name) or "(no name)",
        "detail": row.detail,
        "kind": row.kind,
        "depth": row.depth,
        "drawn_depth": row.drawn_depth,
        "left": row.left,
        "width": row.width,
        "duration_ns": row.duration_us * 1000,
        "status": row.status,
        "has_children": row.has_children,
        "is_folded": row.is_folded,
        "is_current": selected is not None and selected.span_id == span.span_id,
        "children_url": _children_url(links, run, row.id, row.depth + 1) if row.is_folded else "",
        "opens": True,
    }


def _event_line(row: Row, event: Event, opened: Any) -> dict[str, Any]:
    return {
        "id": event.key,
        "url": event.url,
        "name": plain_name(event.name),
        "detail": event.detail,
        "kind": "guardrail",
        "answer": event.answer,
        "depth": row.depth,
        "drawn_depth": row.drawn_depth,
        "left": row.left,
        "width": row.width,
        "duration_ns": event.took_us * 1000,
        "is_current": opened is not None and opened.key == event.key,
        "opens": True,
    }


def _children_url(links: TraceLinks, run: Run, parent: str, depth: int, cursor: str = "") -> str:
    query = {"of": parent, "depth": str(depth), "cursor": cursor}
    return f"{links.children(run.run_id)}?{urlencode({key: value for key, value in query.items() if value})}"


def _links(context: Context) -> TraceLinks:
    found = context.get("links")
    return found if isinstance(found, TraceLinks) else TraceLinks.of(context["request"])


@register.filter
def of_row(tenants: Mapping[uuid.UUID, Tenant], row: Any) -> Tenant:
    """The tenant of a row."""
    return tenants[row.tenant_id]


@register.simple_tag
def staff_run_url(tenants: Mapping[uuid.UUID, Tenant], run: Run) -> str:
    return TraceLinks(slug=tenants[run.tenant_id].slug, is_staff=True).run(run.run_id)


# -- the health of ingest ---------------------------------------------------------------------------------------------


@register.simple_tag
def health_stats(health: Health) -> list[dict[str, Any]]:
    """The strip of figures over the page."""
    late = duration_text(health.lag_ms_mean, "ms") if health.lag_ms_mean is not None else "–"
    waiting = "1,000+" if health.new_letters > 1000 else count(health.new_letters)
    return [
        {"label": "Now", "value": f"{health.spans_per_second:,.1f}/s", "note": "spans, last 5 minutes"},
        {"label": "Accepted", "value": count(health.accepted), "note": "spans, last 24 hours"},
        {"label": "Sent twice", "value": count(health.duplicates), "note": "counted once"},
        {
            "label": "Refused",
            "value": count(health.rejected),
            "note": f"{waiting} dead letters wait" if health.new_letters else "last 24 hours",
            "tone": "warn" if health.new_letters else "",
            "url": "#dead-letters" if health.new_letters else "",
        },
        {"label": "Late by", "value": late, "note": f"on average; at most {duration_text(health.lag_ms_max, 'ms')}"},
        {
            "label": "Running",
            "value": "1,000+" if health.open_runs > 1000 else count(health.open_runs),
            "note": "runs without an end yet",
        },
    ]


@register.simple_tag
def minutes_figure(minutes: Sequence[IngestMinute], at: datetime) -> dict[str, Any]:
    """The hour before `at` as bars of one minute, for plotly: the axis is the whole hour, whatever came."""
    end = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    times = [(minute.minute + timedelta(seconds=30)).strftime("%Y-%m-%d %H:%M:%S") for minute in minutes]
    bars = (("Accepted", "accepted"), ("Sent twice", "duplicates"), ("Refused", "rejected"))
    data = [
        {
            "type": "bar",
            "name": word,
            "x": times,
            "y": [getattr(minute, name) for minute in minutes],
            "width": 52_000,  # milliseconds: one minute, with a gap
        }
        for word, name in bars
    ]
    axis = {
        "type": "date",
        "range": [f"{end - timedelta(hours=1):%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"],
        "tickformat": "%H:%M",
    }
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}
    layout = {"barmode": "stack", "xaxis": axis, "yaxis": {"rangemode": "tozero"}, "legend": legend}
    return {"data": data, "layout": layout}
