"""After a tool call was decided: redeeming an approval, using a permit, and telling how it went."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from agentops.catalog import queries as catalog
from agentops.catalog import scopes
from agentops.catalog.types import AgentPolicy, ToolPolicy
from agentops.common.ids import is_minted
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries as confirming
from agentops.confirmations import services as confirmations
from agentops.runtime import rows
from agentops.runtime.errors import (
    AlreadyConsumed,
    CallUnknown,
    ConfirmationState,
    IdempotencyMismatch,
    NotAdmitted,
    PermitExpired,
    RunFinished,
    RunThrottled,
)
from agentops.runtime.policies.repetition import Limits
from agentops.runtime.rows import Facts
from agentops.runtime.services import entry
from agentops.runtime.services.tool_calls import knowledge_of, permit
from agentops.runtime.types import Answer, Asker, CallState, RunStatus, ToolResult, Verb, Verdict
from audit import services as audit
from audit.types import Outcome, Target

_CALL = """
SELECT state, tool, confirmation_id, closing_digest, closing_answer, verb, step FROM runtime_guardcall
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s FOR UPDATE
"""
_REDEEMED = """
UPDATE runtime_guardcall SET state = 3, step = %s, permit_expires_at = %s
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s
"""
_CLOSE = """
UPDATE runtime_guardcall SET state = 4, closing_digest = %s, closing_answer = %s, closed_at = %s, outcome = %s,
    external_system = %s, external_id = %s, idempotency_key = %s
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s
"""
_CONSUME = """
UPDATE runtime_guardcall SET permit_consumed_at = clock_timestamp(), permit_consumed_by = %(key)s
WHERE tenant_id = %(tenant)s AND run_started_at = %(began)s AND run_id = %(run)s AND step = %(step)s
    AND permit_consumed_at IS NULL AND permit_expires_at > clock_timestamp()
RETURNING permit_consumed_at
"""
_PERMIT = """
SELECT permit_consumed_at, permit_expires_at FROM runtime_guardcall
WHERE tenant_id = %(tenant)s AND run_started_at = %(began)s AND run_id = %(run)s AND step = %(step)s
    AND permit_expires_at IS NOT NULL
"""
_JTI = re.compile(r"([0-9a-f]{32})-([0-9]{1,9})")
_OUTCOMES = {"ok": Outcome.SUCCESS, "error": Outcome.FAILURE, "unknown": Outcome.UNKNOWN}


def redeem(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str, by: Asker) -> dict[str, Any]:
    """Exchange an approval for the stored arguments and a permit, once. Opens its own scope.

    Everything is checked once more: what people approved may not be what is allowed by now. Raises RunUnknown,
    RunFinished, CallUnknown, NotAdmitted, RunThrottled and ConfirmationState; also when a kill switch came meanwhile.
    """
    found = entry.with_run(tenant, run, call_id, lambda facts: _redeem(facts, by))
    if not isinstance(found, Verdict):
        return found
    if found.answer is Answer.THROTTLE:
        raise RunThrottled(found.code, found.detail, retry_after=found.body["retry_after"])
    if found.code == "confirmation_expired":
        raise ConfirmationState(found.code, found.detail)
    raise RunFinished(found.detail)


def _redeem(facts: Facts, by: Asker) -> dict[str, Any] | Verdict:
    tenant, run, call_id = facts.tenant_id, facts.run_id, facts.call_id
    entry.require_running(facts)
    state, name, confirmation, *_ = _call(facts)
    if confirmation is None:
        raise NotAdmitted("This tool call needs no confirmation, or was not allowed.")
    if state is not CallState.WAITING:
        raise ConfirmationState("already_redeemed", "It was redeemed before; an approval works once.")
    halted = entry.stopped(facts) or entry.without_slot(facts)
    if halted is not None:
        rows.write(facts, verb=Verb.REDEMPTION, verdict=halted, by=by, tool=name)
        return halted
    policy = catalog.policy(
        tenant=tenant, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
    tool = policy.tools.get(name)
    why = _why_not_any_more(facts, policy, tool, confirmation)
    if tool is None or why:
        why = why or f"{name} is not granted any more."
        confirmations.lapse(tenant=tenant, confirmation=confirmation, reason=why, at=facts.now)
        lapsed = Verdict(Answer.REJECT, "confirmation_expired", f"What was approved cannot run any more: {why}")
        rows.write(facts, verb=Verb.REDEMPTION, verdict=lapsed, by=by, tool=name)
        return lapsed
    redeemed = confirmations.redeem(tenant=tenant, confirmation=confirmation, at=facts.now)
    facts.root.steps += 1
    token, until = permit(
        facts,
        tool,
        args=redeemed.arguments,
        tier=redeemed.tier,
        action_digest=f"sha256:{redeemed.action_digest.hex()}",
    )
    with connection.cursor() as cursor:
        cursor.execute(_REDEEMED, [facts.root.steps, until, tenant, rows.began(run), run, call_id])
    verdict = Verdict(Answer.ALLOW, tier=redeemed.tier, tool_version=tool.version)
    rows.write(facts, verb=Verb.REDEMPTION, verdict=verdict, by=by, tool=name)
    audit.record(
        tenant=tenant,
        action="tool_call.redeemed",
        actor=entry.actor(facts),
        target=Target(type="tool", id=name),
        outcome=Outcome.SUCCESS,
        data={"call": call_id, "confirmation": str(confirmation), "action_digest": redeemed.action_digest.hex()},
        at=facts.now,
        run=run,
        on_behalf_of=facts.user_id,
    )
    return {"decision": Answer.ALLOW.value, "permit": token, "arguments": orjson.loads(redeemed.arguments)}


def _why_not_any_more(
    facts: Facts, policy: AgentPolicy, tool: ToolPolicy | None, confirmation: uuid.UUID
) -> str | None:
    """What has changed since people were asked, if it matters: they agreed to exactly that."""
    held = confirming.held(tenant=facts.tenant_id, confirmation=confirmation)
    if held is None or tool is None:
        return "the tool is not granted any more"
    if not policy.is_approved:
        return f"version {facts.agent_version} of {facts.agent} is not approved any more"
    if not tool.is_reviewed or tool.tool_version_id != held.tool_version_id:
        return f"the definition of {tool.name} is another by now, or is not reviewed any more"
    if tool.tier > held.tier:
        return f"{tool.name} takes tier {tool.tier} by now, and tier {held.tier} was approved"
    arguments = orjson.loads(held.arguments)
    knowledge = knowledge_of(facts, tool, arguments=arguments, is_tainted=False)
    wrong = scopes.check(tool.grant_scope, knowledge) or tool.schema.check(arguments) or tool.rules.check(knowledge)
    return f"{wrong[0].hint} (expected {wrong[0].expected})" if wrong else None


def take_result(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str, result: ToolResult, by: Asker) -> dict[str, Any]:
    """Note how an allowed tool call went; also after the run has ended. The same failure again and again ends the run.

    Opens its own scope. Raises RunUnknown, CallUnknown, NotAdmitted, IdempotencyMismatch.
    """
    return entry.with_run(tenant, run, call_id, lambda facts: _take_result(facts, result, by))


def _take_result(facts: Facts, result: ToolResult, by: Asker) -> dict[str, Any]:
    tenant, run, call_id = facts.tenant_id, facts.run_id, facts.call_id
    state, name, confirmation, closing_digest, closing_answer = _call(facts)
    if closing_digest:
        if closing_digest != result.digest:
            raise IdempotencyMismatch("The result of this call was told before, and was another.")
        return dict(orjson.loads(closing_answer))
    if state is not CallState.ADMITTED:
        raise NotAdmitted("This tool call was not allowed (or not yet redeemed), so it can have no result.")
    entry.keep_slot(facts)
    answer: dict[str, Any] = {"recorded": True}
    verdict = Verdict(Answer.ALLOW)
    if result.outcome == "error" and facts.status is RunStatus.RUNNING:
        verdict = _after_failure(facts, name, result)
        answer |= {"attempts_left": verdict.data["attempts_left"]}
        if verdict.answer is Answer.ABORT:
            answer |= {"decision": "abort", "code": verdict.code, "detail": verdict.detail}
    elif result.outcome == "ok":
        facts.root.history.note_success(name)
    verdict.data |= {"outcome": result.outcome}
    if result.external_id:
        verdict.data |= {"external_system": result.external_system, "external_id": result.external_id}
    with connection.cursor() as cursor:
        cursor.execute(
            _CLOSE,
            [
                result.digest,
                orjson.dumps(answer).decode(),
                facts.now,
                result.outcome,
                result.external_system,
                result.external_id,
                result.idempotency_key,
                tenant,
                rows.began(run),
                run,
                call_id,
            ],
        )
    if confirmation is not None:
        confirmations.close(tenant=tenant, confirmation=confirmation, outcome=result.outcome, at=facts.now)
    rows.write(facts, verb=Verb.RESULT, verdict=verdict, by=by, tool=name)
    audit.record(
        tenant=tenant,
        action="tool.called",
        actor=entry.actor(facts),
        target=Target(type="tool", id=name),
        outcome=_OUTCOMES[result.outcome],
        data={
            "call": call_id,
            "outcome": result.outcome,
            "external_system": result.external_system,
            "external_id": result.external_id,
            "idempotency_key": result.idempotency_key,
        },
        at=facts.now,
        run=run,
        on_behalf_of=facts.user_id,
    )
    return answer


def _after_failure(facts: Facts, tool: str, result: ToolResult) -> Verdict:
    policy = catalog.policy(
        tenant=facts.tenant_id, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
    most = policy.repetition.same_error
    left = facts.root.history.add_failure(tool, result.error, Limits() if most is None else Limits(same_error=most))
    if left:
        return Verdict(Answer.ALLOW, data={"attempts_left": left})
    detail = f"Stopped: {tool} failed again and again in the same way. Tell the user, or try another way in a new run."
    entry.end(facts, status=RunStatus.ABORTED, code="repetition", detail=detail, whole_family=True)
    return Verdict(Answer.ABORT, "repetition", detail, data={"attempts_left": 0, "detector": "same_error"})


def consume(*, tenant: uuid.UUID, jti: str, by: Asker) -> tuple[str, datetime]:
    """Use a permit, once; answers its id and when. Opens its own scope.

    Not for a run that has ended, nor under a kill switch: what is not done yet can still be stopped. Raises CallUnknown,
    AlreadyConsumed, PermitExpired, RunFinished.
    """
    found = _JTI.fullmatch(jti)
    run = uuid.UUID(found[1]) if found else None
    if found is None or run is None or not is_minted(run):
        raise CallUnknown("There is no such permit.")
    params: dict[str, Any] = {"tenant": tenant, "run": run, "began": rows.began(run), "step": int(found[2])}
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(_PERMIT, params)
        row = cursor.fetchone()
        if row is None:
            raise CallUnknown("There is no such permit.")
        facts = entry.found(tenant, run, "")
        if row[0] is None and (facts.status is not RunStatus.RUNNING or facts.killed_scope is not None):
            raise RunFinished("The run of this permit has ended, or was stopped; the call may not be made.")
        cursor.execute(_CONSUME, params | {"key": by.key_id})
        consumed = cursor.fetchone()
        if consumed is not None:
            return jti, consumed[0]
        cursor.execute(_PERMIT, params)
        row = cursor.fetchone()
    if row[0] is not None:
        raise AlreadyConsumed(f"This permit was used at {row[0]:%H:%M:%S} UTC; a permit works once.")
    raise PermitExpired("This permit has expired; permits live a minute.")


def _call(facts: Facts) -> tuple[CallState, str, uuid.UUID | None, bytes, str]:
    with connection.cursor() as cursor:
        cursor.execute(_CALL, [facts.tenant_id, rows.began(facts.run_id), facts.run_id, facts.call_id])
        row = cursor.fetchone()
    if row is None or row[5] != Verb.TOOL_CALL:
        raise CallUnknown("There is no tool call with this id in the run.")
    facts_state = CallState(row[0])
    return facts_state, row[1], row[2], bytes(row[3]), row[4]
