"""A tool server uses a permit: once, for what it permits, while its call is open and its run may act."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from agentops.common import scope
from agentops.common.errors import Conflict
from agentops.common.ids import is_minted
from agentops.common.scope import tenant_scope
from agentops.confirmations import services as confirmations
from agentops.runtime import permits, rows
from agentops.runtime.errors import (
    AlreadyConsumed,
    ArgumentsChanged,
    CallOver,
    CallUnknown,
    PermitExpired,
    RunFinished,
)
from agentops.runtime.rows import Earlier, Facts
from agentops.runtime.services import entry
from agentops.runtime.types import Asker, CallState, RunStatus
from audit import services as audit
from audit.types import Outcome, Target

_PERMIT = """
SELECT call_id, tool, confirmation_id, redemption_permit, answer FROM runtime_guardcall
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND step = %s AND permit_expires_at IS NOT NULL
"""
_CONSUME = """
UPDATE runtime_guardcall SET permit_consumed_at = %s, permit_consumed_by = %s
WHERE tenant_id = %s AND run_started_at = %s AND run_id = %s AND call_id = %s AND permit_consumed_at IS NULL
"""
_JTI = re.compile(r"([0-9a-f]{32})-([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class _Permit:
    """What never changes about a permit that was given: whose call it is, and for which arguments (64 hex digits)."""

    call_id: str
    tool: str
    confirmation: uuid.UUID | None
    args_digest: str


def consume(*, tenant: uuid.UUID, jti: str, args_digest: str = "", by: Asker) -> tuple[str, datetime]:
    """Use a permit, once; answers its id and when. Opens its own scope.

    `args_digest` (64 hex digits) is of the arguments about to run: others than the permit's are refused, and the permit
    stays. Not for a call whose result was told, nor for a run that has ended, is past its deadline or under a kill
    switch: what is not done yet can still be stopped. Each refusal leaves an entry in the audit log. Raises CallUnknown,
    AlreadyConsumed, RunFinished, CallOver, PermitExpired, ArgumentsChanged.
    """
    found = _JTI.fullmatch(jti)
    run = uuid.UUID(found[1]) if found else None
    if found is None or run is None or not is_minted(run):
        raise CallUnknown("There is no such permit.")
    with tenant_scope(tenant):
        permit = _permit(tenant, run, int(found[2]))
        facts = entry.found(tenant, run, permit.call_id)
        assert facts.earlier is not None
        refusal = _why_not(facts, facts.earlier) or _why_not_these(permit, args_digest)
        if refusal is not None:
            _note(facts, permit, "permit.refused", Outcome.DENIED, _of_refusal(refusal, permit, args_digest, by))
            scope.keep()
            raise refusal
        with connection.cursor() as cursor:
            cursor.execute(_CONSUME, [facts.now, by.key_id, tenant, rows.began(run), run, permit.call_id])
        _note(facts, permit, "permit.used", Outcome.SUCCESS, {"call": permit.call_id, "key": by.key_name})
        if permit.confirmation is not None and args_digest:
            confirmations.note_executed(
                tenant=tenant, confirmation=permit.confirmation, executed_digest=bytes.fromhex(args_digest)
            )
        return jti, facts.now


def _permit(tenant: uuid.UUID, run: uuid.UUID, step: int) -> _Permit:
    """Read before the lock, which needs the call. Raises CallUnknown."""
    with connection.cursor() as cursor:
        cursor.execute(_PERMIT, [tenant, rows.began(run), run, step])
        row = cursor.fetchone()
    if row is None:
        raise CallUnknown("There is no such permit.")
    call_id, tool, confirmation, redemption, answer = row
    claims = permits.claims_of(redemption or orjson.loads(answer).get("permit", ""))
    return _Permit(call_id, tool, confirmation, str(claims.get("args_digest", "")).removeprefix("sha256:"))


def _why_not(facts: Facts, call: Earlier) -> Conflict | None:
    """The call as it stands under the lock of its run."""
    if call.permit_consumed_at is not None:
        return AlreadyConsumed(f"This permit was used at {call.permit_consumed_at:%H:%M:%S} UTC; a permit works once.")
    if facts.status is not RunStatus.RUNNING or facts.killed_scope is not None:
        return RunFinished("The run of this permit has ended, or was stopped; the call may not be made.")
    if entry.is_past_deadline(facts):
        return RunFinished("The run of this permit is past its deadline; the call may not be made.")
    if call.state is not CallState.ADMITTED:
        return CallOver("The result of this call was told already, so it may not be made (again).")
    if call.permit_expires_at is None or facts.now >= call.permit_expires_at:
        return PermitExpired("This permit has expired; permits live a minute, and no longer than their run.")
    return None


def _why_not_these(permit: _Permit, args_digest: str) -> Conflict | None:
    if not args_digest or args_digest == permit.args_digest:
        return None
    return ArgumentsChanged("These are not the arguments that were permitted; the call may not be made.")


def _of_refusal(refusal: Conflict, permit: _Permit, args_digest: str, by: Asker) -> dict[str, Any]:
    is_other = isinstance(refusal, ArgumentsChanged)
    return {
        "call": permit.call_id,
        "code": refusal.code,
        "key": by.key_name,
        "permitted": permit.args_digest if is_other else "",
        "shown": args_digest if is_other else "",
    }


def _note(facts: Facts, permit: _Permit, action: str, outcome: Outcome, data: dict[str, Any]) -> None:
    audit.record(
        tenant=facts.tenant_id,
        action=action,
        actor=entry.actor(facts),
        target=Target(type="tool", id=permit.tool),
        outcome=outcome,
        data=data,
        at=facts.now,
        run=facts.run_id,
        on_behalf_of=facts.user_id,
    )
