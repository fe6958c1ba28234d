"""Writes of confirmations. People's decisions come with their pages; here an action is asked for, redeemed and closed."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from datetime import datetime

import rfc8785
from django.db import connection

from agentops.common import scope
from agentops.common.ids import new_id
from agentops.confirmations import queries
from agentops.confirmations.errors import NotRedeemable
from agentops.confirmations.models import Confirmation
from agentops.confirmations.types import LIFETIME, Action, Asked, Redeemed, State
from audit import services as audit
from audit.types import Actor, Outcome, Target

_DOMAIN = b"agentops.action.v1\0"
_REDEEM = """
UPDATE confirmations_confirmation SET state = 'executing', redeemed_at = %(at)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'approved' AND expires_at > %(at)s
RETURNING arguments, action_digest, tier
"""
_CLOSE = """
UPDATE confirmations_confirmation SET state = %s, ended_at = %s
WHERE tenant_id = %s AND id = %s AND state = 'executing'
"""
_OPEN = "state IN ('pending', 'half', 'cooling', 'approved') RETURNING id, run_id, agent, acting_user, tool"
_INVALIDATE = f"""
UPDATE confirmations_confirmation SET state = 'invalidated', ended_at = %s
WHERE tenant_id = %s AND run_id = %s AND {_OPEN}
"""  # noqa: S608
_LAPSE = f"""
UPDATE confirmations_confirmation SET state = 'invalidated', ended_at = %s
WHERE tenant_id = %s AND id = %s AND {_OPEN}
"""  # noqa: S608


def request(*, tenant: uuid.UUID, action: Action, tier: int, raised_because: Sequence[str], at: datetime) -> Asked:
    """Ask people to confirm an action, bound to its exact bytes; in the caller's transaction.

    `arguments` are RFC 8785 bytes. The same call of the same run is asked for once.
    """
    scope.require_tenant(tenant)
    binding = _binding(tenant, action, tier)
    confirmation, is_new = Confirmation.objects.get_or_create(
        tenant_id=tenant,
        run_id=action.run_id,
        call_id=action.call_id,
        defaults={
            "id": new_id(),
            "agent": action.agent,
            "agent_version": action.agent_version,
            "acting_user": action.acting_user,
            "tool": action.tool,
            "tool_version": action.tool_version,
            "tool_version_id": action.tool_version_id,
            "tier": tier,
            "raised_because": list(raised_because),
            "says": action.says,
            "arguments": action.arguments,
            "binding": binding,
            "action_digest": hashlib.sha256(_DOMAIN + binding).digest(),
            "likeness": action.likeness,
            "requested_at": at,
            "expires_at": at + LIFETIME[tier],
        },
    )
    if is_new:
        audit.record(
            tenant=tenant,
            action="approval.requested",
            actor=Actor(type="agent", id=f"agent:{action.agent}", label=action.agent),
            target=Target(type="confirmation", id=str(confirmation.id)),
            outcome=Outcome.PENDING,
            data={
                "tool": action.tool,
                "tool_version": action.tool_version,
                "tier": tier,
                "action_digest": bytes(confirmation.action_digest).hex(),
                "raised_because": list(raised_because),
            },
            at=at,
            run=action.run_id,
            on_behalf_of=action.acting_user,
        )
    return Asked(
        id=confirmation.id,
        state=State(confirmation.state),
        tier=confirmation.tier,
        expires_at=confirmation.expires_at,
        run_id=confirmation.run_id,
        call_id=confirmation.call_id,
    )


def redeem(*, tenant: uuid.UUID, confirmation: uuid.UUID, at: datetime) -> Redeemed:
    """Take what was approved, once. Raises NotRedeemable, with the state in its code."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_REDEEM, {"tenant": tenant, "id": confirmation, "at": at})
        row = cursor.fetchone()
    if row is None:
        raise NotRedeemable(queries.asked(tenant=tenant, confirmation=confirmation, at=at).state)
    return Redeemed(id=confirmation, arguments=bytes(row[0]), action_digest=bytes(row[1]), tier=row[2])


def close(*, tenant: uuid.UUID, confirmation: uuid.UUID, outcome: str, at: datetime) -> bool:
    """Note how a redeemed action ended (ok, error or unknown); False where it was not executing."""
    scope.require_tenant(tenant)
    state = {"ok": State.EXECUTED, "error": State.FAILED}.get(outcome, State.OUTCOME_UNKNOWN)
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, [state.value, at, tenant, confirmation])
        return bool(cursor.rowcount)


def invalidate(*, tenant: uuid.UUID, run: uuid.UUID, at: datetime) -> int:
    """The run has ended: what waits for people in its name waits no more; answers how many."""
    scope.require_tenant(tenant)
    return _lapsed(_INVALIDATE, tenant, run, "the run has ended", at)


def lapse(*, tenant: uuid.UUID, confirmation: uuid.UUID, reason: str, at: datetime) -> bool:
    """What it is bound to has changed since people were asked: it can no longer be redeemed."""
    scope.require_tenant(tenant)
    return bool(_lapsed(_LAPSE, tenant, confirmation, reason, at))


def _lapsed(statement: str, tenant: uuid.UUID, which: uuid.UUID, reason: str, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [at, tenant, which])
        rows = cursor.fetchall()
    audit.record_many(
        tenant=tenant,
        entries=[
            audit.NewEntry(
                action="approval.invalidated",
                actor=Actor(type="agent", id=f"agent:{agent}", label=agent),
                target=Target(type="confirmation", id=str(confirmation)),
                outcome=Outcome.FAILURE,
                data={"tool": tool},
                at=at,
                run=run,
                on_behalf_of=user,
                reason=reason[:500],
            )
            for confirmation, run, agent, user, tool in rows
        ],
    )
    return len(rows)


def _binding(tenant: uuid.UUID, action: Action, tier: int) -> bytes:
    """B of CONFIRMATIONS.md. The arguments stand in it as their own canonical bytes, so they are spliced in, not parsed."""
    around = rfc8785.dumps(
        {
            "v": 1,
            "tenant": str(tenant),
            "agent": action.agent,
            "agent_version": action.agent_version,
            "run": action.run_id.hex,
            "proposal": action.call_id,
            "nonce": os.urandom(16).hex(),
            "acting_user": action.acting_user,
            "tool": action.tool,
            "tool_version": action.tool_version,
            "schema_digest": action.schema_digest,
            "resource": action.resource,
            "tier": tier,
            "policy_version": str(action.policy_version),
        }
    )
    # "arguments" sorts behind "agent…" and before "nonce": RFC 8785 orders members, so it has one place only.
    head, comma, tail = around.partition(b',"nonce":')
    return head + b',"arguments":' + action.arguments + comma + tail
