"""The waterfall of a run: the whole tree where it is small, its first levels where it is large.

However large a run is, a bounded number of rows is read, in a bounded number of statements. Children that are not
drawn load when their parent is opened. Senders may claim anything: a parent that never comes, or two spans inside
each other. No span of a small run is left out for that; a large run offers to look for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentops.common.cursors import Cursor
from agentops.common.ids import span_hex
from agentops.traces import queries
from agentops.traces.models import Run, SpanRow
from agentops.traces.queries.spans import CHILDREN_PAGE, Children, cursor_after
from agentops.traces.types import SpanKind, SpanStatus

WHOLE = 500  # a run of up to so many spans is read at once
DRAWN = 150  # rows that are drawn unfolded
DRAWN_DEPTH = 12  # deeper spans are indented like this one
TICKS = 4
ORPHANS = "orphans"  # instead of a parent's id, in the address of the children
NO_PARENT = "The parents of these spans have not come"
LOST = "These spans claim to be inside each other"
_NOTHING = Children(spans=[], parents=frozenset(), next=None)
Below = Mapping[int, list[SpanRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at one moment between the spans, told by whoever knows of it."""

    at: datetime
    key: str  # of its row, unlike those of spans
    url: str
    name: str
    detail: str
    answer: str  # what a guard answered, for its mark
    took_us: int


@dataclass(slots=True)
class Row:
    """One line: a span or an event; or, without one, a `note`, or what loads the next children of `more_of`."""

    span: SpanRow | None = None
    event: Event | None = None
    depth: int = 0
    has_children: bool = False
    is_folded: bool = False
    note: str = ""
    more_of: str = ""  # a span id in hex, "" for the top, or ORPHANS
    more_after: Cursor | None = None
    left: str = "0%"
    width: str = "100%"

    @property
    def drawn_depth(self) -> int:
        return min(self.depth, DRAWN_DEPTH)

    @property
    def kind(self) -> str:
        return SpanKind(self.span.kind).name.lower() if self.span else ""

    @property
    def status(self) -> str:
        return SpanStatus(self.span.status).name.lower() if self.span else ""

    @property
    def duration_us(self) -> int:
        return _us(self.span.started_at, self.span.ended_at) if self.span else 0

    @property
    def id(self) -> str:
        return span_hex(self.span.span_id) if self.span else ""

    @property
    def detail(self) -> str:
        """What tells this span from its neighbours, where its name does not say it."""
        if self.span is None:
            return ""
        value = self.span.error_type or (self.span.tool if self.span.kind == SpanKind.TOOL else self.span.model)
        return value if value and value not in self.span.name else ""


def rows_of(run: Run) -> list[Row]:
    """The first screen of a run."""
    if run.span_count <= WHOLE:
        spans = queries.first_spans(run=run, limit=WHOLE + 1)
        if len(spans) <= WHOLE:
            return _placed(run, _whole(spans))
    return _placed(run, _first_levels(run))


def rows_below(run: Run, *, parent_id: int, depth: int, cursor: Cursor | None) -> list[Row]:
    """The children of one span, folded, from a cursor on."""
    return _placed(
        run, _folded(queries.children(run=run, parent_id=parent_id, cursor=cursor), span_hex(parent_id), depth)
    )


def more_rows(run: Run, *, cursor: Cursor | None) -> list[Row]:
    """More spans without a parent."""
    return _placed(run, _folded(queries.children(run=run, parent_id=None, cursor=cursor), "", 0))


def orphan_rows(run: Run, *, cursor: Cursor | None) -> list[Row]:
    """Spans whose parent never came, or a line that says there are none."""
    found = queries.orphans(run=run, cursor=cursor)
    if not found.spans and cursor is None:
        return [Row(note="Every span has its parent")]
    return _placed(run, [*([] if cursor else [Row(note=NO_PARENT)]), *_folded(found, ORPHANS, 0)])


def with_events(run: Run, rows: Sequence[Row], events: Sequence[Event]) -> list[Row]:
    """The rows with events between them, each where it happened: before the first row that began later.

    An event stands inside of the innermost unfolded span that was open then, as far as the tree around it allows: what
    comes after it keeps its parent.
    """
    found: list[Row] = []
    waiting = deque(sorted(events, key=lambda event: (event.at, event.key)))
    path: list[Row] = []  # the spans that the last row is inside of, and itself
    for row in rows:
        if row.span is not None:
            while waiting and waiting[0].at < row.span.started_at:
                found.append(_event_row(run, waiting.popleft(), path, least=row.depth))
            del path[row.depth :]
            path.append(row)
        elif row.more_of == ORPHANS or row.note:  # what follows is outside of the tree
            found += [_event_row(run, event, path, least=0) for event in waiting]
            waiting.clear()
        found.append(row)
    return found + [_event_row(run, event, path, least=0) for event in waiting]


def _event_row(run: Run, event: Event, path: Sequence[Row], *, least: int) -> Row:
    depth = 0
    for place, row in enumerate(path):
        is_open = row.span is not None and row.span.started_at <= event.at <= row.span.ended_at
        if is_open and row.has_children and not row.is_folded:
            depth = place + 1
    begin = min(99.75, max(0.0, 100 * _us(run.started_at, event.at) / _total_us(run)))
    return Row(event=event, depth=max(depth, least), left=f"{begin:.3f}%", width="0.25%")


def ticks(run: Run) -> list[int]:
    """Microseconds from the start at the marks of the time axis."""
    total = _total_us(run)
    return [total * place // TICKS for place in range(TICKS + 1)]


# -- a small run: read at once, arranged here -------------------------------------------------------------------------


def _whole(spans: Sequence[SpanRow]) -> list[Row]:
    known = {span.span_id for span in spans}
    below: dict[int, list[SpanRow]] = {}
    tops: list[SpanRow] = []
    orphans: list[SpanRow] = []
    for span in spans:
        if span.parent_id is None:
            tops.append(span)
        elif span.parent_id not in known:
            orphans.append(span)
        else:
            below.setdefault(span.parent_id, []).append(span)
    opened = _opened(tops, orphans, below)
    rows = list(_drawn(tops, "", 0, below, opened))
    if orphans:
        rows += [Row(note=NO_PARENT), *_drawn(orphans, ORPHANS, 0, below, opened)]
    return rows + _lost(spans, [*tops, *orphans], below)


def _opened(tops: list[SpanRow], orphans: list[SpanRow], below: Below) -> set[int]:
    """The spans to draw unfolded: the upper levels first, as far as DRAWN rows go, and the first in any case."""
    waiting = deque([*tops[:CHILDREN_PAGE], *orphans[:CHILDREN_PAGE]])
    room = DRAWN - len(waiting)
    found: set[int] = set()
    while waiting:
        span = waiting.popleft()
        children = below.get(span.span_id, [])[:CHILDREN_PAGE]
        if children and (len(children) <= room or not found):
            found.add(span.span_id)
            room -= len(children)
            waiting += children
    return found


def _drawn(spans: Sequence[SpanRow], parent: str, depth: int, below: Below, opened: set[int]) -> Iterator[Row]:
    """Rows in depth-first order. From a top no cycle can be reached: each span has one parent."""
    for span in spans[:CHILDREN_PAGE]:
        children, is_open = below.get(span.span_id, ()), span.span_id in opened
        yield Row(span=span, depth=depth, has_children=bool(children), is_folded=bool(children) and not is_open)
        if is_open:
            yield from _drawn(children, span_hex(span.span_id), depth + 1, below, opened)
    if len(spans) > CHILDREN_PAGE:
        yield Row(depth=depth, more_of=parent, more_after=cursor_after(spans[CHILDREN_PAGE - 1]))


def _lost(spans: Sequence[SpanRow], heads: list[SpanRow], below: Below) -> list[Row]:
    """Spans that no top leads to: they are inside each other."""
    waiting, reached = list(heads), set()
    while waiting:
        span = waiting.pop()
        reached.add(span.span_id)
        waiting += below.get(span.span_id, ())
    lost = [span for span in spans if span.span_id not in reached]
    return [Row(note=LOST), *(Row(span=span) for span in lost)] if lost else []


# -- a large run: its tops, and what is inside the first of them ------------------------------------------------------


def _first_levels(run: Run) -> list[Row]:
    tops = queries.children(run=run, parent_id=None)
    if not tops.spans:
        return _orphans_or_first(run)
    first = tops.spans[0]
    inside = queries.children(run=run, parent_id=first.span_id) if first.span_id in tops.parents else _NOTHING
    rows = _folded(tops, "", 0)
    if inside.spans:
        rows[0].is_folded = False
        rows[1:1] = _folded(inside, rows[0].id, 1)
    return [*rows, Row(more_of=ORPHANS)]


def _orphans_or_first(run: Run) -> list[Row]:
    orphans = queries.orphans(run=run)
    if orphans.spans:
        return [Row(note=NO_PARENT), *_folded(orphans, ORPHANS, 0)]
    first = queries.first_spans(run=run, limit=DRAWN)
    return [Row(note=f"{LOST}; the first {DRAWN}"), *(Row(span=span) for span in first)]


def _folded(children: Children, parent: str, depth: int) -> list[Row]:
    rows = [
        Row(span=span, depth=depth, has_children=has, is_folded=has)
        for span in children.spans
        for has in [span.span_id in children.parents]
    ]
    if children.next is not None:
        rows.append(Row(depth=depth, more_of=parent, more_after=children.next))
    return rows


# -- places on the time axis ------------------------------------------------------------------------------------------


def _placed(run: Run, rows: list[Row]) -> list[Row]:
    total = _total_us(run)
    for row in rows:
        if row.span is not None:
            begin = min(99.75, 100 * _us(run.started_at, row.span.started_at) / total)
            row.left = f"{begin:.3f}%"
            row.width = f"{min(100 - begin, max(0.25, 100 * row.duration_us / total)):.3f}%"
    return rows


def _total_us(run: Run) -> int:
    return max(1, _us(run.started_at, run.ended_at))


def _us(start: datetime, moment: datetime) -> int:
    return round((moment - start).total_seconds() * 1e6)
