"""What came of a run downstream, and the span it belongs to: at once, or as soon as that has come."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentops.common import scope
from agentops.common.errors import Conflict
from agentops.common.ids import span_hex
from agentops.traces import queries as traces
from audit import services as audit
from audit.types import Actor, Target
from audit.types import Outcome as Result
from evals.errors import invalid
from evals.models import Outcome
from evals.signalling.outcomes import is_success

MATCHED_WITHIN = timedelta(days=30)
FUTURE_MOST = timedelta(minutes=10)  # clocks differ
BATCH = 500
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One outcome as the sender tells it. Of one call by its id or idempotency key, or of the run as a whole."""

    run_id: uuid.UUID
    kind: str
    at: datetime
    value: str = ""
    tool_call_id: str = ""
    idempotency_key: str = ""
    is_success: bool | None = None


def tell_outcome(*, tenant: uuid.UUID, told: Told, by: Actor, at: datetime) -> tuple[Outcome, bool]:
    """Keep an outcome, and tell whether it is new; the same again changes nothing.

    Raises InvalidInput for a time that is to come, and Conflict where the same outcome was told with another value.
    """
    scope.require_tenant(tenant)
    if told.at > at + FUTURE_MOST:
        raise invalid("/at", "is when it happened, which is not in the future", "future")
    success = is_success(kind=told.kind, value=told.value, said=told.is_success)
    row, is_new = Outcome.objects.get_or_create(
        tenant_id=tenant,
        run_id=told.run_id,
        tool_call_id=told.tool_call_id,
        idempotency_key=told.idempotency_key,
        kind=told.kind,
        at=told.at,
        defaults={
            "value": told.value,
            "is_success": success,
            "received_at": at,
            "matching_ends_at": at + MATCHED_WITHIN,
            "next_look_at": at + _SHORTEST,
        },
    )
    if not is_new:
        if (row.value, row.is_success) != (told.value, success):
            raise Conflict(
                "This outcome was told before with another value. What happened later is an outcome of its own: send "
                "it with its own 'at'."
            )
        return row, False
    _match(tenant, [row], at)
    audit.record(
        tenant=tenant,
        action="outcome.told",
        actor=by,
        target=Target(type="run", id=told.run_id.hex),
        outcome=Result.SUCCESS,
        data={
            "kind": told.kind,
            "result": {True: "success", False: "failure", None: "neither"}[success],
            "of_call": bool(told.tool_call_id or told.idempotency_key),
        },
        at=at,
        run=told.run_id,
    )
    return row, True


def match_outcomes(*, tenant: uuid.UUID, at: datetime) -> tuple[int, bool]:
    """Look once more for the spans of outcomes that have none; answers how many were found, and whether more wait."""
    scope.require_tenant(tenant)
    due = Outcome.objects.filter(
        tenant_id=tenant, matched_at__isnull=True, next_look_at__lte=at, matching_ends_at__gt=at
    )
    rows = list(due.order_by("next_look_at", "id").select_for_update(skip_locked=True)[:BATCH])
    return _match(tenant, rows, at), len(rows) == BATCH


def _match(tenant: uuid.UUID, rows: Sequence[Outcome], at: datetime) -> int:
    calls = [
        traces.Call(id=row.id, run_id=row.run_id, tool_call_id=row.tool_call_id, idempotency_key=row.idempotency_key)
        for row in rows
    ]
    spans = traces.spans_of_calls(tenant=tenant, calls=calls)
    for row in rows:
        if row.id in spans:
            span = spans[row.id]
            row.span_id, row.matched_at = "" if span is None else span_hex(span), at
        row.next_look_at = at + min(_LONGEST, max(_SHORTEST, (at - row.received_at) / 4))
    Outcome.objects.bulk_update(rows, ["span_id", "matched_at", "next_look_at"])
    return len(spans)
