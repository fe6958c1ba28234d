"""Refused spans, looked at by a person: tried again after the cause is gone, or thrown away."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson

from agentops.common import clock, scope
from agentops.traces import writing
from agentops.traces.errors import Busy
from agentops.traces.models import DeadLetter
from agentops.traces.models.ingest import DeadLetterState
from agentops.traces.normalise import from_native, normalise, revive
from agentops.traces.otlp import RawSpans
from agentops.traces.policy import read_policy
from agentops.traces.services.ingest import prepare
from agentops.traces.types import Rejected, Span
from audit import services as audit
from audit.types import Actor, Outcome, Target

MOST = 500


def replay_dead_letters(*, tenant: uuid.UUID, ids: Sequence[uuid.UUID], by: Actor, at: datetime) -> tuple[int, int]:
    """Send dead letters through ingest again; answers how many were tried and how many were taken.

    All in the caller's transaction: a letter is marked as replayed exactly when its span is stored. Letters that are
    refused again stay as they are. Raises Busy where their runs are being stored by others at this moment.
    """
    scope.require_tenant(tenant)
    policy = read_policy(tenant)
    letters = DeadLetter.objects.filter(
        tenant_id=tenant, id__in=ids[:MOST], state=DeadLetterState.NEW
    ).select_for_update()
    oldest_ns = clock.to_ns(at - timedelta(days=policy.accept_back_days))
    revived = {
        letter.id: _again(letter, now_ns=clock.to_ns(at), oldest_ns=oldest_ns) for letter in letters.order_by("id")
    }
    spans = {letter_id: span for letter_id, span in revived.items() if span is not None}
    try:
        writing.write(tenant=tenant, spans=prepare(list(spans.values()), policy), at=at)
    except writing.Raced as error:
        raise Busy("These runs are being stored at this moment. Try again.", retry_after=1) from error
    _settle(tenant, list(spans), DeadLetterState.REPLAYED, by, at)
    _record(tenant, "ingest.replayed", {"count": len(revived), "accepted": len(spans)}, by, at)
    return len(revived), len(spans)


def discard_dead_letters(*, tenant: uuid.UUID, ids: Sequence[uuid.UUID], by: Actor, at: datetime) -> int:
    """Mark dead letters as not wanted; answers how many."""
    scope.require_tenant(tenant)
    count = _settle(tenant, ids[:MOST], DeadLetterState.DISCARDED, by, at)
    _record(tenant, "ingest.discarded", {"count": count}, by, at)
    return count


def _again(letter: DeadLetter, *, now_ns: int, oldest_ns: int) -> Span | None:
    """The span of a letter as the present mapping sees it, or None where it is refused again."""
    raw = orjson.loads(letter.raw)
    spans: Sequence[Span] = ()
    refused: Sequence[Rejected] = ()
    if letter.signal == "native":
        spans, refused = from_native({"spans": [raw]}, now_ns=now_ns, oldest_ns=oldest_ns)
    elif letter.signal == "traces":
        revived = revive(raw)
        if revived is not None:
            spans, refused = normalise(RawSpans(spans=[revived], total=1), now_ns=now_ns, oldest_ns=oldest_ns)
    return spans[0] if spans and not refused else None


def _settle(tenant: uuid.UUID, ids: Sequence[uuid.UUID], state: str, by: Actor, at: datetime) -> int:
    letters = DeadLetter.objects.filter(tenant_id=tenant, id__in=list(ids), state=DeadLetterState.NEW)
    return letters.update(state=state, settled_at=at, settled_by=by.id)


def _record(tenant: uuid.UUID, action: str, data: dict[str, int], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=tenant,
        action=action,
        actor=by,
        target=Target(type="dead_letters", id=str(tenant)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
