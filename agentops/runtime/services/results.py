"""After a tool call was decided: redeeming an approval, and telling how it went."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from agentops.catalog import queries as catalog
from agentops.catalog.types import AgentPolicy, ToolPolicy
from agentops.confirmations import queries as confirming
from agentops.confirmations import services as confirmations
from agentops.confirmations.types import Held, Redeemed
from agentops.runtime import rows
from agentops.runtime.errors import (
    CallUnknown,
    ConfirmationState,
    IdempotencyMismatch,
    NotAdmitted,
    RunFinished,
    RunThrottled,
)
from agentops.runtime.policies.repetition import Limits
from agentops.runtime.rows import Facts
from agentops.runtime.services import approvals, asking, entry, rechecks
from agentops.runtime.services.permitting import permit, permit_id
from agentops.runtime.types import Answer, Asker, CallState, RunStatus, ToolResult, Verb, Verdict
from audit import services as audit
from audit.types import Outcome, Target

_CALL = """
SELECT verb, state, tool, confirmation_id, closing_digest, closing_answer, redeemed_by, redemption_permit,
    permit_expires_at, permit_consumed_at FROM runtime_guardcall
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s FOR UPDATE
"""
_REDEEMED = """
UPDATE runtime_guardcall SET state = 3, step = %s, permit_expires_at = %s, redeemed_by = %s, redemption_permit = %s
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s
"""
_CLOSE = """
UPDATE runtime_guardcall SET state = 4, closing_digest = %s, closing_answer = %s, closed_at = %s, outcome = %s,
    external_system = %s, external_id = %s, idempotency_key = %s
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s
"""
_OUTCOMES = {"ok": Outcome.SUCCESS, "error": Outcome.FAILURE, "unknown": Outcome.UNKNOWN}


@dataclass(frozen=True, slots=True)
class _Call:
    """A tool call as it was decided, locked with its run."""

    verb: int
    state: CallState
    tool: str
    confirmation: uuid.UUID | None
    closing_digest: bytes
    closing_answer: str
    redeemed_by: uuid.UUID | None
    redemption_permit: str
    permit_expires_at: datetime | None
    permit_consumed_at: datetime | None


def redeem(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str, resource_version: str = "", by: Asker) -> dict[str, Any]:
    """Exchange an approval for the stored arguments and a permit, once. Opens its own scope.

    Everything is checked once more: what people approved may not be what is allowed by now. `resource_version` says what
    the agent sees of the resource now. A lost answer does not lose the approval: the key that got it gets the same permit
    again, as long as it lives, nobody has used it and no result was told. Raises RunUnknown, RunFinished, CallUnknown, NotAdmitted,
    RunThrottled and ConfirmationState; also when a kill switch came meanwhile.
    """
    found = entry.with_run(tenant, run, call_id, lambda facts: _redeem(facts, resource_version, by))
    if not isinstance(found, Verdict):
        return found
    if found.answer is Answer.THROTTLE:
        raise RunThrottled(found.code, found.detail, retry_after=found.body["retry_after"])
    if found.code == "confirmation_expired":
        raise ConfirmationState(found.code, found.detail)
    raise RunFinished(found.detail)


def _redeem(facts: Facts, resource_version: str, by: Asker) -> dict[str, Any] | Verdict:
    entry.require_running(facts)
    call = _call(facts)
    if call.confirmation is None:
        raise NotAdmitted("This tool call needs no confirmation, or was not allowed.")
    halted = entry.stopped(facts)
    if halted is None and call.state is not CallState.WAITING:
        return _repeated(facts, call, resource_version, by)
    halted = halted or entry.without_slot(facts)
    if halted is not None:
        rows.write(facts, verb=Verb.REDEMPTION, verdict=halted, by=by, tool=call.tool)
        return halted
    policy = _policy(facts)
    tool = policy.tools.get(call.tool)
    held = confirming.held(tenant=facts.tenant_id, confirmation=call.confirmation)
    why = rechecks.why_not_any_more(facts, policy, tool, held, resource_version=resource_version)
    if not why and held is not None and held.is_due:
        why = approvals.why_not_released(facts, call.confirmation)
    if tool is None or held is None or why:
        confirmations.lapse(tenant=facts.tenant_id, confirmation=call.confirmation, reason=why, at=facts.now)
        lapsed = Verdict(Answer.REJECT, "confirmation_expired", f"What was approved cannot run any more: {why}")
        rows.write(facts, verb=Verb.REDEMPTION, verdict=lapsed, by=by, tool=call.tool)
        return lapsed
    return _released(facts, tool, call.confirmation, held, by)


def _released(facts: Facts, tool: ToolPolicy, confirmation: uuid.UUID, held: Held, by: Asker) -> dict[str, Any]:
    facts.root.steps += 1
    redeemed = confirmations.redeem(
        tenant=facts.tenant_id, confirmation=confirmation, jti=permit_id(facts), at=facts.now
    )
    token, until = permit(
        facts,
        tool,
        args=redeemed.arguments,
        tier=redeemed.tier,
        action_digest=f"sha256:{redeemed.action_digest.hex()}",
        resource=held.resource,
        resource_version=held.resource_version,
    )
    with connection.cursor() as cursor:
        cursor.execute(_REDEEMED, [facts.root.steps, until, by.key_id, token, *_place(facts)])
    verdict = Verdict(Answer.ALLOW, tier=redeemed.tier, tool_version=tool.version)
    rows.write(facts, verb=Verb.REDEMPTION, verdict=verdict, by=by, tool=tool.name)
    asking.note_redeemed(facts, tool.name, redeemed)
    return _told(token, redeemed)


def _repeated(facts: Facts, call: _Call, resource_version: str, by: Asker) -> dict[str, Any]:
    """The same permit once more, for the key whose answer got lost; nothing is redeemed again. Raises ConfirmationState."""
    assert call.confirmation is not None
    until = call.permit_expires_at
    is_theirs = call.redeemed_by == by.key_id and bool(call.redemption_permit)
    is_open = call.state is CallState.ADMITTED and call.permit_consumed_at is None
    if not is_theirs or not is_open or until is None or facts.now >= until:
        raise _already_redeemed()
    redeemed = confirming.redeemed(tenant=facts.tenant_id, confirmation=call.confirmation)
    if redeemed is None:
        raise _already_redeemed()
    held = confirming.held(tenant=facts.tenant_id, confirmation=call.confirmation)
    if resource_version and held and held.resource_version not in ("", resource_version):
        raise ConfirmationState("confirmation_expired", "The resource has changed since it was approved.")
    return _told(call.redemption_permit, redeemed) | {"repeated": True}


def _already_redeemed() -> ConfirmationState:
    return ConfirmationState("already_redeemed", "It was redeemed before; an approval works once.")


def _told(token: str, redeemed: Redeemed) -> dict[str, Any]:
    return {"decision": Answer.ALLOW.value, "permit": token, "arguments": orjson.loads(redeemed.arguments)}


def take_result(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str, result: ToolResult, by: Asker) -> dict[str, Any]:
    """Note how an allowed tool call went; also after the run has ended. The same failure again and again ends the run.

    Opens its own scope. Raises RunUnknown, CallUnknown, NotAdmitted, IdempotencyMismatch.
    """
    return entry.with_run(tenant, run, call_id, lambda facts: _take_result(facts, result, by))


def _take_result(facts: Facts, result: ToolResult, by: Asker) -> dict[str, Any]:
    tenant, run, call_id = facts.tenant_id, facts.run_id, facts.call_id
    call = _call(facts)
    name, confirmation = call.tool, call.confirmation
    if call.closing_digest:
        if call.closing_digest != result.digest:
            raise IdempotencyMismatch("The result of this call was told before, and was another.")
        return dict(orjson.loads(call.closing_answer))
    if call.state is not CallState.ADMITTED:
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
        _note_paid(facts, name)
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
        confirmations.close(
            tenant=tenant,
            confirmation=confirmation,
            outcome=result.outcome,
            executed_digest=bytes.fromhex(result.args_digest) if result.args_digest else None,
            at=facts.now,
        )
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


def _note_paid(facts: Facts, name: str) -> None:
    tool = _policy(facts).tools.get(name)
    if tool is not None and asking.pays(tool):
        confirmations.note_paid(tenant=facts.tenant_id, run=facts.run_id, call_id=facts.call_id)


def _after_failure(facts: Facts, tool: str, result: ToolResult) -> Verdict:
    most = _policy(facts).repetition.same_error
    left = facts.root.history.add_failure(tool, result.error, Limits() if most is None else Limits(same_error=most))
    if left:
        return Verdict(Answer.ALLOW, data={"attempts_left": left})
    detail = f"Stopped: {tool} failed again and again in the same way. Tell the user, or try another way in a new run."
    entry.end(facts, status=RunStatus.ABORTED, code="repetition", detail=detail, whole_family=True)
    return Verdict(Answer.ABORT, "repetition", detail, data={"attempts_left": 0, "detector": "same_error"})


def _call(facts: Facts) -> _Call:
    with connection.cursor() as cursor:
        cursor.execute(_CALL, _place(facts))
        row = cursor.fetchone()
    if row is None or row[0] != Verb.TOOL_CALL:
        raise CallUnknown("There is no tool call with this id in the run.")
    return _Call(row[0], CallState(row[1]), row[2], row[3], bytes(row[4]), *row[5:])


def _place(facts: Facts) -> list[Any]:
    """Where the row of a call is."""
    return [facts.tenant_id, rows.began(facts.run_id), facts.run_id, facts.call_id]


def _policy(facts: Facts) -> AgentPolicy:
    return catalog.policy(
        tenant=facts.tenant_id, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
