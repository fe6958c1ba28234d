"""Whose a model call is that names no agent, or no user: most instrumentations say them on the spans around it alone, which
end, and come, after it.

A call has the names of the nearest span above it that says them, else those of the run's root. What is stored before they
come is named when the root comes, and what it was charged moves there by entries (budgets/services/renaming.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.backends.utils import CursorWrapper

from agentops.traces.rollup import Counted, RunState
from agentops.traces.types import SpanKind

Names = tuple[str, str]  # agent and user; "" is not said
_NAMES = ("agent", "user_id")
Place = tuple[int | None, str, str]  # the parent of a span, and its names
_CLIMB_MOST = 32  # spans above a call that are asked
# The spans of a run that has nameless calls.
_STORED = """
SELECT span_id, parent_id, agent, user_id, kind FROM traces_span s WHERE tenant_id = %s AND day = %s AND run_id = %s
    AND EXISTS (SELECT 1 FROM traces_span n WHERE n.tenant_id = %s AND n.day = %s AND n.run_id = %s AND n.kind = %s
        AND (n.agent = '' OR n.user_id = ''))
"""
_NAME = """
UPDATE traces_span s SET agent = n.agent, user_id = n.user_id
FROM unnest(%s::int8[], %s::text[], %s::text[]) AS n (span_id, agent, user_id)
WHERE s.tenant_id = %s AND s.day = %s AND s.run_id = %s AND s.span_id = n.span_id
"""


def of_root(run: RunState) -> Names:
    """What a run's root says; what only others said may be a helper's."""
    agent, user = (getattr(run, name) if name in run.basis and run.basis[name][0] == 0 else "" for name in _NAMES)
    return agent, user


def name(found: Mapping[int, Counted], run: RunState) -> None:
    """Name the model calls of a batch; `found` are the run's spans in it, by id, already in the run's row."""
    calls = [one.span for one in found.values() if one.span.kind == SpanKind.LLM]
    if all(span.agent and span.user_id for span in calls):
        return
    places = {span_id: _place(one) for span_id, one in found.items()}
    for span in calls:
        span.agent, span.user_id = _names(span.span_id, places, of_root(run))


def name_stored(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    runs: Mapping[uuid.UUID, RunState],
    before: Mapping[uuid.UUID, Names],
    batch: Mapping[uuid.UUID, Mapping[int, Counted]],
) -> dict[tuple[uuid.UUID, int], Names]:
    """Name the stored calls of locked runs whose root says now what it did not say `before`; answers them by run and span."""
    named: dict[tuple[uuid.UUID, int], Names] = {}
    for run_id, said in before.items():
        run = runs[run_id]
        root = of_root(run)
        if all(earlier or not now for earlier, now in zip(said, root, strict=True)):
            continue
        key: list[Any] = [tenant, run.day, run_id]
        cursor.execute(_STORED, [*key, *key, int(SpanKind.LLM)])
        stored = cursor.fetchall()
        places = {row[0]: (row[1], row[2], row[3]) for row in stored}
        places |= {span_id: _place(one) for span_id, one in batch[run_id].items()}
        found = {
            row[0]: _names(row[0], places, root) for row in stored if row[4] == SpanKind.LLM and not (row[2] and row[3])
        }
        if found:
            columns = [list(found), *([names[place] for names in found.values()] for place in (0, 1))]
            cursor.execute(_NAME, [*columns, *key])
            named |= {(run_id, span_id): names for span_id, names in found.items()}
    return named


def _place(one: Counted) -> Place:
    return one.span.parent_id, one.span.agent, one.span.user_id


def _names(span_id: int, places: Mapping[int, Place], root: Names) -> Names:
    parent, agent, user = places[span_id]
    for _ in range(_CLIMB_MOST):
        above = places.get(parent) if parent is not None and not (agent and user) else None
        if above is None:
            break
        parent, above_agent, above_user = above
        agent, user = agent or above_agent, user or above_user
    return agent or root[0], user or root[1]
