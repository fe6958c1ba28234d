"""Where events stand between the rows of a waterfall. Pure: rows that were never stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agentops.traces.models import Run, SpanRow
from agentops.traces.timeline import ORPHANS, Event, Row, with_events

BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
RUN = Run(started_at=BEGAN, ended_at=BEGAN + timedelta(seconds=100))


def at(second: float) -> datetime:
    return BEGAN + timedelta(seconds=second)


def span(name: str, depth: int, begin: float, end: float, *, inside: bool = False, folded: bool = False) -> Row:
    row = SpanRow(name=name, started_at=at(begin), ended_at=at(end))
    return Row(span=row, depth=depth, has_children=inside, is_folded=folded)


def event(name: str, second: float) -> Event:
    return Event(at=at(second), key=name, url="", name=name, detail="", answer="allow", took_us=1)


def drawn(rows: list[Row], *events: Event) -> list[tuple[str, int]]:
    return [
        (row.span.name if row.span else row.event.name if row.event else row.note or "more", row.depth)
        for row in with_events(RUN, rows, events)
    ]


def test_an_event_stands_before_the_first_row_that_began_later() -> None:
    rows = [span("run", 0, 0, 100, inside=True), span("a", 1, 10, 20), span("b", 1, 30, 40)]
    assert drawn(rows, event("second", 25), event("first", 5), event("last", 90)) == [
        ("run", 0), ("first", 1), ("a", 1), ("second", 1), ("b", 1), ("last", 1),
    ]  # fmt: skip


def test_it_stands_inside_of_the_innermost_unfolded_span_that_was_open() -> None:
    rows = [
        span("run", 0, 0, 100, inside=True), span("step", 1, 10, 50, inside=True), span("call", 2, 15, 20), span("end", 1, 60, 70),
    ]  # fmt: skip
    assert drawn(rows, event("in step", 40), event("after step", 55)) == [
        ("run", 0), ("step", 1), ("call", 2), ("in step", 2), ("after step", 1), ("end", 1),
    ]  # fmt: skip


def test_a_folded_span_hides_none() -> None:
    rows = [
        span("run", 0, 0, 100, inside=True),
        span("step", 1, 10, 50, inside=True, folded=True),
        span("end", 1, 60, 70),
    ]
    assert drawn(rows, event("in step", 40)) == [("run", 0), ("step", 1), ("in step", 1), ("end", 1)]


def test_what_comes_after_it_keeps_its_parent_whatever_the_clocks_say() -> None:
    """The step claims to have ended before its child began: between them the tree goes deeper, and so does the event."""
    rows = [span("run", 0, 0, 100, inside=True), span("step", 1, 10, 12, inside=True), span("call", 2, 30, 40)]
    assert drawn(rows, event("between", 20)) == [("run", 0), ("step", 1), ("between", 2), ("call", 2)]


def test_before_and_after_all_spans_it_stands_outside() -> None:
    rows = [span("run", 0, 10, 20)]
    assert drawn(rows, event("after", 30), event("before", 1)) == [("before", 0), ("run", 0), ("after", 0)]


def test_spans_without_a_parent_come_after_every_event_of_the_tree() -> None:
    rows = [span("run", 0, 0, 100, inside=True), span("a", 1, 10, 20), Row(more_of=ORPHANS)]
    assert drawn(rows, event("late", 50)) == [("run", 0), ("a", 1), ("late", 1), ("more", 0)]


def test_without_spans_events_stand_in_their_order() -> None:
    assert drawn([], event("b", 2), event("a", 1)) == [("a", 0), ("b", 0)]
