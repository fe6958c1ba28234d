"""The end of a run, as its agent tells it; and the end of those that never tell."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.budgets import queries as budgeting
from agentops.budgets import services as budgets
from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.money import usd_text
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries as confirming
from agentops.runtime import rows
from agentops.runtime.errors import RunUnknown
from agentops.runtime.services import answers, approvals, entry
from agentops.runtime.services.settlements import forget_expired, note_settled
from agentops.runtime.types import Answer, Asker, RunStatus, Verb, Verdict
from agentops.traces import services as traces

STATUSES = {
    "ok": RunStatus.OK,
    "error": RunStatus.ERROR,
    "refused": RunStatus.REFUSED,
    "escalated": RunStatus.ESCALATED,
}
_SYSTEM = Asker(uuid.UUID(int=0), "agentops")
_COUNTS = """
SELECT decision, count(*) FROM runtime_decision
WHERE tenant_id = %s AND run_id = %s AND verb IN (2, 4) GROUP BY 1 ORDER BY 1
"""
_CONFIRMATIONS = """
SELECT state, count(*) FROM confirmations_confirmation WHERE tenant_id = %s AND run_id = %s GROUP BY 1 ORDER BY 1
"""
_OVERDUE = """
SELECT run_id FROM runtime_guardedrun
WHERE tenant_id = %s AND status = 1 AND root_id = run_id AND deadline <= clock_timestamp() ORDER BY deadline LIMIT %s
"""


def finish(*, tenant: uuid.UUID, run: uuid.UUID, status: RunStatus, by: Asker, output: Any = None) -> dict[str, Any]:
    """End a run; answers its receipt. Told again, the same receipt. Opens its own scope.

    `output` (JSON) is stored where the run's start asked for it (services/answers.py).

    A run that was ended otherwise (aborted, killed, expired) stays that; its receipt says so. Raises RunUnknown.
    """
    return entry.with_run(tenant, run, "", lambda facts: _finish(facts, status, by, output))


def _finish(facts: rows.Facts, status: RunStatus, by: Asker, output: Any) -> dict[str, Any]:
    if facts.status is RunStatus.RUNNING:
        if status is RunStatus.OK and output is not None and facts.parent_id is None:
            _keep_answer(facts, output)
        entry.end(facts, status=status, code="", detail="", whole_family=facts.run_id == facts.root.run_id)
        rows.write(facts, verb=Verb.FINISH, verdict=Verdict(Answer.ALLOW, data={"status": status.name.lower()}), by=by)
        ended, why = status, ""
    else:
        ended, why = facts.status, facts.end_detail
    return _receipt(facts, ended, why)


def _keep_answer(facts: rows.Facts, output: Any) -> None:
    policy = catalog.policy(
        tenant=facts.tenant_id, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
    if policy.output_cache.seconds:
        answers.keep_answer(tenant=facts.tenant_id, facts=facts, output=output, policy=policy)


def _receipt(facts: rows.Facts, status: RunStatus, why: str) -> dict[str, Any]:
    root = facts.root
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [facts.tenant_id, facts.run_id])
        decisions = dict(cursor.fetchall())
        cursor.execute(_CONFIRMATIONS, [facts.tenant_id, facts.run_id])
        confirmed = dict(cursor.fetchall())
    receipt: dict[str, Any] = {
        "run_id": facts.run_id.hex,
        "status": status.name.lower(),
        "llm_calls": root.llm_calls,
        "tool_calls": root.tool_calls,
        "tokens": root.tokens_used,
        "cost_usd": usd_text(root.nano_used),
        "held_usd": usd_text(root.nano_held),
        "decisions": decisions,
        "confirmations": confirmed,
    }
    if why:
        receipt["detail"] = why
    return receipt


def sweep(*, tenant: uuid.UUID, most: int = 200) -> int:
    """What the clock brings: holds that nobody settled are charged, runs past their deadline end, what has waited out its
    delay is released, and what never told its end is of unknown outcome. Answers how many. Each in its own scope.

    The family is locked before its hold, as the verbs do it: the other order would deadlock with a settlement.
    """
    with tenant_scope(tenant):
        due = budgeting.due_holds(tenant=tenant, most=most)
    for run, call_id in due:
        try:
            entry.with_run(tenant, run, call_id, _expire_hold)
        except RunUnknown:  # a call of our own, of no guarded run: a judge was asked, and its worker was lost
            with tenant_scope(tenant):
                budgets.expire_hold(tenant=tenant, run=run, call_id=call_id, at=clock.now())
                budgets.close_leases(tenant=tenant, runs=[run], at=clock.now())
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(_OVERDUE, [tenant, most])
        overdue = [row[0] for row in cursor.fetchall()]
    for run in overdue:
        entry.with_run(tenant, run, "", _expire_run)
    return len(due) + len(overdue) + approvals.release_due(tenant=tenant) + approvals.close_lost(tenant=tenant)


def _expire_hold(facts: rows.Facts) -> None:
    tenant, run, call_id = facts.tenant_id, facts.run_id, facts.call_id
    expired = budgets.expire_hold(tenant=tenant, run=run, call_id=call_id, at=facts.now)
    if expired is None:
        return
    traces.add_guard_charge(tenant=tenant, run=run, amount_nano_usd=expired)
    model = forget_expired(facts, hold_nano_usd=expired)
    said = {"outcome": "unknown", "state": "unknown"}
    verdict = Verdict(Answer.ALLOW, data=dict(said), model=model, amount_nano_usd=expired)
    verdict.detail = "Nobody settled this call, so it is charged at what was held for it."
    rows.write(facts, verb=Verb.SETTLEMENT, verdict=verdict, by=_SYSTEM)
    note_settled(facts, model=model, cost_nano_usd=expired, reason=verdict.detail, **said)


def _expire_run(facts: rows.Facts) -> None:
    if facts.status is RunStatus.RUNNING and facts.now >= facts.root.deadline:
        verdict = entry.stopped(facts)
        if verdict is not None:
            rows.write(facts, verb=Verb.FINISH, verdict=verdict, by=_SYSTEM)
        else:
            entry.keep_clock(facts)


def tenants_with_work(now: datetime) -> list[uuid.UUID]:
    """Tenants with anything overdue, so that the sweep opens no scope in vain. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tenant_id FROM runtime_guardedrun WHERE status = 1 AND deadline <= %s "
            "UNION SELECT DISTINCT tenant_id FROM budgets_reservation WHERE state = 'held' AND expires_at <= %s",
            [now, now],
        )
        due = {row[0] for row in cursor.fetchall()}
    return sorted(due | set(confirming.tenants_with_overdue()))
