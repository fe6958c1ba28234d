"""What runs in the review queue have in common, over all organisations. In the staff scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from evals.types import QueueReason

ITEMS_MOST, PATTERNS_MOST, EXAMPLES = 5_000, 200, 5
# Of the newest items: what happened, in which agent, with which tools. Reviewed or not, for a pattern does not end by a look.
_PATTERNS = """
WITH recent AS (
    SELECT i.tenant_id, i.id, i.run_id, i.agent, i.reasons, i.pattern, i.state, i.found_at FROM evals_reviewitem i
    WHERE i.found_at >= %(since)s AND i.reasons && %(reasons)s::varchar[] ORDER BY i.found_at DESC LIMIT %(items)s
)
SELECT r.pattern, r.agent, coalesce(tools.names, '{}'), count(*), count(DISTINCT r.tenant_id),
    count(*) FILTER (WHERE r.state = 'open'), count(*) FILTER (WHERE r.found_at >= %(day)s),
    count(*) FILTER (WHERE r.found_at < %(day)s AND r.found_at >= %(day_before)s), min(r.found_at), max(r.found_at),
    (array_agg(r.tenant_id ORDER BY r.found_at DESC))[1:%(examples)s],
    (array_agg(r.id ORDER BY r.found_at DESC))[1:%(examples)s],
    (array_agg(r.run_id ORDER BY r.found_at DESC))[1:%(examples)s]
FROM recent r
LEFT JOIN evals_runfact f ON f.tenant_id = r.tenant_id AND f.run_id = r.run_id
LEFT JOIN LATERAL (SELECT array_agg(DISTINCT t ORDER BY t) AS names FROM unnest(f.tools) AS t) tools ON true
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 10 DESC LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Example:
    tenant_id: uuid.UUID
    item_id: uuid.UUID
    run_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Pattern:
    """Items that are alike, with how many came in the last day and in the day before it."""

    what: str  # such as "aborted step_limit"
    agent: str
    tools: Sequence[str]  # that these runs called, by name
    count: int
    tenants: int
    open: int
    last_day: int
    day_before: int
    first_at: datetime
    last_at: datetime
    examples: Sequence[Example]


def patterns(
    *, since: datetime, at: datetime, reasons: Sequence[QueueReason], most: int = PATTERNS_MOST
) -> list[Pattern]:
    """The most frequent first, of the newest 5,000 items for these reasons."""
    day = timedelta(days=1)
    params: dict[str, Any] = {
        "since": since,
        "reasons": [reason.value for reason in reasons],
        "items": ITEMS_MOST,
        "day": at - day,
        "day_before": at - 2 * day,
        "examples": EXAMPLES,
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PATTERNS, params)
        rows = cursor.fetchall()
    return [_pattern(*row) for row in rows]


def _pattern(pattern: str, agent: str, tools: list[str], *rest: Any) -> Pattern:
    count, organisations, waiting, last_day, day_before, first_at, last_at, tenants, items, runs = rest
    return Pattern(
        what=pattern.removeprefix(f"{agent}: "),
        agent=agent,
        tools=tools,
        count=count,
        tenants=organisations,
        open=waiting,
        last_day=last_day,
        day_before=day_before,
        first_at=first_at,
        last_at=last_at,
        examples=[Example(*of) for of in zip(tenants, items, runs, strict=True)],
    )
