"""Reading the spans of one run. The run names the day, so exactly one partition is touched."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from agentops.traces.models import Run, SpanEvent, SpanRow
from agentops.traces.queries.guardcosts import show_guard_costs

CHILDREN_PAGE = 100
# What a row of the timeline shows.
_LEAN = (
    "tenant_id", "day", "run_id", "span_id", "parent_id", "kind", "status", "started_at", "ended_at", "name", "error_type",
    "tool", "model",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpanPage:
    """Spans in order of their start. `next` is the cursor for what follows."""

    spans: list[SpanRow]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Children:
    """One level of the tree: spans, which of them have children, and whether more follow."""

    spans: list[SpanRow]
    parents: frozenset[int]
    next: Cursor | None


def span_page(*, run: Run, cursor: Cursor | None, limit: int = 500) -> SpanPage:
    """The spans of a run with their content, by start."""
    rows = SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id)
    if cursor is not None:
        rows = rows.filter(_after(cursor))
    found = list(rows.order_by("started_at", "span_id")[: limit + 1])
    show_guard_costs(run, found[:limit])
    return SpanPage(spans=found[:limit], next=_next(found, limit))


def children(*, run: Run, parent_id: int | None, cursor: Cursor | None = None, limit: int = CHILDREN_PAGE) -> Children:
    """The children of a span (None: the roots), without content: one index range, however large the run is."""
    rows = SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id).only(*_LEAN)
    rows = rows.filter(parent_id__isnull=True) if parent_id is None else rows.filter(parent_id=parent_id)
    if cursor is not None:
        rows = rows.filter(_after(cursor))
    found = list(rows.order_by("started_at", "span_id")[: limit + 1])
    shown = found[:limit]
    return Children(
        spans=shown, parents=_having_children(run, [row.span_id for row in shown]), next=_next(found, limit)
    )


def first_spans(*, run: Run, limit: int) -> list[SpanRow]:
    """The first spans of a run by start, without content."""
    rows = SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id).only(*_LEAN)
    return list(rows.order_by("started_at", "span_id")[:limit])


def orphans(*, run: Run, cursor: Cursor | None = None, limit: int = CHILDREN_PAGE) -> Children:
    """Spans whose parent has not come (yet): the tops of what is there, where a run has no root."""
    after = "AND (s.started_at, s.span_id) > (%s, %s)" if cursor else ""
    place: list[Any] = [cursor.at, _span_id(cursor)] if cursor else []
    with connection.cursor() as db:
        db.execute(
            "SELECT s.span_id FROM traces_span s WHERE s.tenant_id = %s AND s.day = %s AND s.run_id = %s "  # noqa: S608
            "AND s.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM traces_span p WHERE p.tenant_id = %s "
            f"AND p.day = %s AND p.run_id = %s AND p.span_id = s.parent_id) {after} "
            "ORDER BY s.started_at, s.span_id LIMIT %s",
            [run.tenant_id, run.day, run.run_id, run.tenant_id, run.day, run.run_id, *place, limit + 1],
        )
        ids = [row[0] for row in db.fetchall()]
    rows = SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id, span_id__in=ids)
    found = list(rows.only(*_LEAN).order_by("started_at", "span_id"))
    return Children(spans=found[:limit], parents=_having_children(run, ids), next=_next(found, limit))


def around(*, run: Run, span: SpanRow) -> tuple[SpanRow | None, Children]:
    """A span's parent, where it has come, and its first children."""
    rows = SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id).only(*_LEAN)
    parent = None if span.parent_id is None else rows.filter(span_id=span.parent_id).first()
    return parent, children(run=run, parent_id=span.span_id)


def get_span(*, run: Run, span_id: int) -> SpanRow:
    """One span with its content. Raises NotFound."""
    row = SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id, span_id=span_id).first()
    if row is None:
        raise NotFound("There is no such span in this run.")
    show_guard_costs(run, [row])
    return row


def events_of(*, run: Run, span_id: int) -> list[SpanEvent]:
    """Log records that belong to a span, in order."""
    return list(
        SpanEvent.objects.filter(tenant_id=run.tenant_id, run_id=run.run_id, span_id=span_id).order_by("at", "digest")[
            :200
        ]
    )


def _having_children(run: Run, span_ids: list[int]) -> frozenset[int]:
    with connection.cursor() as db:
        db.execute(
            "SELECT n.id FROM unnest(%s::int8[]) AS n (id) WHERE EXISTS (SELECT 1 FROM traces_span s "
            "WHERE s.tenant_id = %s AND s.day = %s AND s.run_id = %s AND s.parent_id = n.id)",
            [span_ids, run.tenant_id, run.day, run.run_id],
        )
        return frozenset(row[0] for row in db.fetchall())


def _after(cursor: Cursor) -> Q:
    return Q(started_at__gt=cursor.at) | Q(started_at=cursor.at, span_id__gt=_span_id(cursor))


def _span_id(cursor: Cursor) -> int:
    return int.from_bytes(cursor.id.bytes[8:], "big", signed=True)


def _next(found: list[SpanRow], limit: int) -> Cursor | None:
    return cursor_after(found[limit - 1]) if len(found) > limit else None


def cursor_after(span: SpanRow) -> Cursor:
    """Where a list that ended with this span goes on."""
    return Cursor(at=span.started_at, id=uuid.UUID(int=span.span_id & 0xFFFFFFFFFFFFFFFF))
