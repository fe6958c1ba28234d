"""Decisions as people and machines read them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from agentops.runtime.models import Decision
from agentops.runtime.types import DecisionRow, Verb

_COLUMNS = tuple(field.name for field in fields(DecisionRow))
_WINDOW = timedelta(days=31)  # a partition is a month: a page that is not full looks one window further back
_LAST_USE = """
SELECT tool, max(decided_at) FROM runtime_decision
WHERE tenant_id = %s AND tool = ANY(%s) AND decided_at >= %s AND verb IN (4, 5) AND decision = 'allow' GROUP BY tool
"""
_PER_AGENT = """
SELECT agent, count(*) FROM runtime_decision WHERE tenant_id = %s AND decided_at >= %s AND verb IN (1, 2, 4) GROUP BY agent
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """What to look for; empty text means any."""

    agent: str = ""
    user: str = ""
    tool: str = ""
    decision: str = ""
    code: str = ""
    run: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def decisions_of_run(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str = "", most: int = 2_000) -> list[DecisionRow]:
    """Every decision of one run, or of one of its calls, oldest first."""
    rows = Decision.objects.filter(tenant_id=tenant, run_id=run)
    if call_id:
        rows = rows.filter(call_id=call_id)
    return _rows(rows.order_by("decided_at", "id"), most)


def decision(*, tenant: uuid.UUID, key: Cursor) -> DecisionRow:
    """One decision by its time and id. Raises NotFound."""
    found = _rows(Decision.objects.filter(tenant_id=tenant, decided_at=key.at, id=key.id), 1)
    if not found:
        raise NotFound("There is no such decision.")
    return found[0]


def decisions_since(*, tenant: uuid.UUID, since: datetime) -> dict[str, int]:
    """How many decisions each agent got since a time; agents without are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_PER_AGENT, [tenant, since])
        return dict(cursor.fetchall())


def decisions(
    *, tenant: uuid.UUID, wanted: DecisionFilter, now: datetime, cursor: Cursor | None = None, most: int = 50
) -> tuple[list[DecisionRow], Cursor | None]:
    """A page of decisions, the newest first, and the cursor of the next page if there is more."""
    rows = Decision.objects.filter(tenant_id=tenant)
    chosen: dict[str, Any] = {
        "agent": wanted.agent,
        "user_id": wanted.user,
        "tool": wanted.tool,
        "decision": wanted.decision,
        "code": wanted.code,
        "run_id": wanted.run,
    }
    rows = rows.filter(**{name: value for name, value in chosen.items() if value})
    if cursor is not None:
        rows = rows.filter(pk__lt=(tenant, cursor.at, cursor.id))
    latest = min(each for each in (cursor.at if cursor else None, wanted.until, now) if each is not None)
    found: list[DecisionRow] = []
    upper, first = latest, wanted.since or _oldest(tenant)
    while first is not None and len(found) <= most:
        lower = max(first, upper - _WINDOW)
        page = rows.filter(decided_at__gte=lower, decided_at__lte=upper).order_by("-decided_at", "-id")
        found += _rows(page, most + 1 - len(found))
        if lower <= first:
            break
        upper = lower - timedelta(microseconds=1)
    if len(found) <= most:
        return found, None
    last = found[most - 1]
    return found[:most], Cursor(at=last.decided_at, id=last.id)


def last_use(*, tenant: uuid.UUID, tools: Sequence[str], since: datetime) -> dict[str, datetime]:
    """When each tool was last allowed, looking back to `since`; tools that were not are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_USE, [tenant, list(tools), since])
        return dict(cursor.fetchall())


def _oldest(tenant: uuid.UUID) -> datetime | None:
    return Decision.objects.filter(tenant_id=tenant).order_by("decided_at").values_list("decided_at", flat=True).first()


def _rows(rows: Any, most: int) -> list[DecisionRow]:
    return [DecisionRow(**{**row, "verb": Verb(row["verb"])}) for row in rows.values(*_COLUMNS)[:most]]
