"""What did a model call cost? Each is charged once: as its agent tells, or at its hold."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from django.db import connection

from agentops.budgets import services as budgets
from agentops.budgets.types import HoldState, Usage
from agentops.common import prepared, scope
from agentops.common.money import usd_text
from agentops.runtime import rows
from agentops.runtime.errors import CallUnknown, IdempotencyMismatch, NotAdmitted
from agentops.runtime.rows import Facts
from agentops.runtime.services import entry
from agentops.runtime.types import Answer, Asker, CallState, Verb, Verdict
from agentops.traces import services as traces
from audit import services as audit
from audit.types import SYSTEM, Outcome, Target

_OUTCOMES = {"ok": Outcome.SUCCESS, "unknown": Outcome.UNKNOWN}
_TASK_CLASS = """
SELECT data ->> 'task_class' FROM runtime_decision WHERE tenant_id = %s AND run_id = %s AND call_id = %s AND verb = %s
LIMIT 1
"""
_NOTE_OUTCOME = """
INSERT INTO runtime_modeloutcome AS o (tenant_id, agent, task_class, model, hour, calls, failures)
VALUES (%s, %s, %s, %s, date_trunc('hour', %s::timestamptz), 1, %s)
ON CONFLICT (tenant_id, agent, task_class, model, hour)
DO UPDATE SET calls = o.calls + 1, failures = o.failures + excluded.failures
"""
_ADMITTED = """
SELECT step, state, answer, hold_tokens, closing_digest, closing_answer, verb FROM runtime_guardcall
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s FOR UPDATE
"""
_CLOSE = """
UPDATE runtime_guardcall SET state = %s, closing_digest = %s, closing_answer = %s, closed_at = %s, outcome = %s
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s
"""


def settle(
    *, tenant: uuid.UUID, run: uuid.UUID, call_id: str, outcome: str, usage: Usage | None, digest: bytes, by: Asker
) -> dict[str, Any]:
    """Charge what an admitted call cost, once; also after the run has ended. Opens its own scope.

    Raises RunUnknown, CallUnknown, NotAdmitted, IdempotencyMismatch.
    """
    return entry.with_run(tenant, run, call_id, lambda facts: _settle(facts, outcome, usage, digest, by))


def _settle(facts: Facts, outcome: str, usage: Usage | None, digest: bytes, by: Asker) -> dict[str, Any]:
    tenant, run, call_id = facts.tenant_id, facts.run_id, facts.call_id
    row = next(iter(prepared.run(_ADMITTED, [tenant, rows.began(run), run, call_id])), None)
    if row is None or row[6] != Verb.MODEL_CALL:
        raise CallUnknown("There is no model call with this id in the run.")
    if row[1] == CallState.REJECTED:
        raise NotAdmitted("This model call was not allowed, so there is nothing to settle.")
    if row[4]:
        if bytes(row[4]) != digest:
            raise IdempotencyMismatch("This call was settled before, with other numbers.")
        return dict(orjson.loads(row[5]))
    settled = budgets.settle(tenant=tenant, run=run, call_id=call_id, outcome=outcome, usage=usage, at=facts.now)
    charged_before = settled.hold_nano_usd if settled.was_unknown else 0
    traces.add_guard_charge(tenant=tenant, run=run, amount_nano_usd=settled.cost_nano_usd - charged_before)
    answer = {"cost_usd": usd_text(settled.cost_nano_usd), "state": settled.state}
    if settled.debt_nano_usd:
        answer["debt_usd"] = usd_text(settled.debt_nano_usd)
    root = facts.root
    if not settled.was_unknown:  # the sweep has taken the hold back already
        root.tokens_held -= row[3]
        root.nano_held -= settled.hold_nano_usd
        root.nano_used += settled.cost_nano_usd
        root.tokens_used += _tokens(usage, settled.state, row[3])
    else:
        root.nano_used += settled.cost_nano_usd - settled.hold_nano_usd
        root.tokens_used = max(0, root.tokens_used + _tokens(usage, settled.state, row[3]) - row[3])
    admitted = orjson.loads(row[2])
    model = admitted.get("model", "")
    _note_outcome(facts, call_id, model, outcome)
    entry.keep_slot(facts)
    verdict = Verdict(Answer.ALLOW, body=answer, model=model, amount_nano_usd=settled.cost_nano_usd)
    verdict.data = {"outcome": outcome, "state": settled.state}
    closed = [int(CallState.CLOSED), digest, orjson.dumps(answer).decode(), facts.now, outcome]
    with scope.last_statements():
        prepared.run(_CLOSE, [*closed, tenant, rows.began(run), run, call_id])
        rows.write(facts, verb=Verb.SETTLEMENT, verdict=verdict, by=by)
        note_settled(facts, model=model, outcome=outcome, state=settled.state, cost_nano_usd=settled.cost_nano_usd)
    return answer


def note_settled(facts: Facts, *, model: str, outcome: str, state: str, cost_nano_usd: int, reason: str = "") -> None:
    """The entry of what a call was charged in the end; with a reason it was we who charged it."""
    audit.record(
        tenant=facts.tenant_id,
        action="model_call.settled",
        actor=SYSTEM if reason else entry.actor(facts),
        target=Target(type="model", id=model),
        outcome=_OUTCOMES.get(outcome, Outcome.FAILURE),
        data={"call": facts.call_id, "outcome": outcome, "cost_nano_usd": str(cost_nano_usd), "state": state},
        at=facts.now,
        run=facts.run_id,
        on_behalf_of=facts.user_id,
        reason=reason,
    )


def _tokens(usage: Usage | None, state: str, held: int) -> int:
    """Tokens that count against the run: what was used; where nobody knows, what was held."""
    if usage is not None:
        return (usage.input_tokens or 0) + (usage.output_tokens or 0)
    return 0 if state == HoldState.RELEASED else held


def _note_outcome(facts: Facts, call_id: str, model: str, outcome: str) -> None:
    """For routing: how this kind of task went with this model."""
    if outcome not in ("ok", "error"):
        return
    found = prepared.run(_TASK_CLASS, [facts.tenant_id, facts.run_id, call_id, int(Verb.MODEL_CALL)])
    task_class = (found[0][0] if found else None) or ""
    prepared.run(_NOTE_OUTCOME, [facts.tenant_id, facts.agent, task_class, model, facts.now, int(outcome == "error")])


def forget_expired(facts: Facts, *, hold_nano_usd: int) -> str:
    """A hold that nobody settled was charged: move it from held to used in the run's counters, too. Answers the model."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hold_tokens, answer FROM runtime_guardcall WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s "
            "AND call_id = %s",
            [facts.tenant_id, rows.began(facts.run_id), facts.run_id, facts.call_id],
        )
        row = cursor.fetchone()
    held, answer = row or (0, "{}")
    facts.root.tokens_held -= held
    facts.root.tokens_used += held
    facts.root.nano_held -= hold_nano_usd
    facts.root.nano_used += hold_nano_usd
    return str(orjson.loads(answer).get("model", ""))
