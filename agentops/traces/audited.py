"""Which spans are entries of the audit log: what agents did, seen from outside the guard.

A tool call and a side effect each leave one, in the transaction that stores the span. A guarded call has its entries from
the guard already, and a call that two instrumentations saw is one call: neither is written again.
"""

from __future__ import annotations

from datetime import datetime

from agentops.common import clock
from agentops.common.ids import span_hex
from agentops.traces.rollup import Counted, RunState
from agentops.traces.types import Span, SpanKind, SpanStatus
from audit.services import NewEntry
from audit.types import Actor, Outcome, Target

KINDS = (SpanKind.TOOL, SpanKind.SIDE_EFFECT)
_STATUS = {SpanStatus.OK: "ok", SpanStatus.ERROR: "error", SpanStatus.UNSET: "no error"}

# Entries are never edited: a name that comes with a later span is in an entry of its own.
NOT_NAMED = "an agent that no span had named yet"


def is_audited(counted: Counted) -> bool:
    return counted.span.kind in KINDS and counted.is_counted and not counted.is_guarded


def named_later(run: RunState, calls: int, user: str, *, at: datetime) -> NewEntry:
    """Whose run it turned out to be, after so many entries that did not know it. Children come before their root, as a rule."""
    return NewEntry(
        action="run.named",
        actor=_actor(run.agent),
        target=Target(type="run", id=run.run_id.hex),
        outcome=Outcome.SUCCESS,
        data={"calls": calls},
        at=at,
        run=run.run_id,
        on_behalf_of=user,
    )


def entry_of(counted: Counted, run: RunState, *, at: datetime) -> NewEntry:
    """The entry of a span that is_audited. Who acted, and for whom, is said by the run where the span does not say it."""
    span = counted.span
    is_tool = span.kind == SpanKind.TOOL
    data = {
        "span": span_hex(span.span_id),
        "status": _STATUS[span.status],
        "error_type": span.error_type[:200],
        "idempotency_key": span.idempotency_key[:200],
    }
    if is_tool:
        data |= {"tool": (span.tool or span.name)[:200], "call": (span.call_id or span.tool_call_id)[:200]}
    else:
        data |= {"name": span.name[:200]}
    return NewEntry(
        action="tool.observed" if is_tool else "side_effect.observed",
        actor=_actor(span.agent or run.agent),
        target=_target(span),
        outcome=Outcome.FAILURE if span.status == SpanStatus.ERROR else Outcome.SUCCESS,
        data=data,
        at=at,
        run=span.trace_id,
        on_behalf_of=span.user_id or run.user_id,
        occurred_at=clock.from_ns(span.started_ns),
    )


def _actor(agent: str) -> Actor:
    return Actor(type="agent", id=f"agent:{agent or 'unknown'}", label=agent or NOT_NAMED)


def _target(span: Span) -> Target:
    """What was touched: the record outside, where the span names one, else the tool."""
    if span.external_id:
        return Target(type=span.external_system or "external", id=span.external_id)
    return Target(type="tool", id=span.tool or span.name)
