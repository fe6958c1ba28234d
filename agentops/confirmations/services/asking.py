"""What the guard does: an action is asked for, stood for, redeemed and closed; or it lapses."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Sequence
from datetime import datetime

import rfc8785

from agentops.common import scope
from agentops.common.ids import new_id
from agentops.confirmations import queries
from agentops.confirmations.digests import action_digest, arguments_digest, is_bound
from agentops.confirmations.errors import NotRedeemable
from agentops.confirmations.models import Confirmation
from agentops.confirmations.services import moving
from agentops.confirmations.services.telling import tell_asked
from agentops.confirmations.states import Who
from agentops.confirmations.types import LIFETIME, Action, Asked, Redeemed, State, Tier
from audit import services as audit
from audit.types import Actor, Outcome, Target


def request(
    *,
    tenant: uuid.UUID,
    action: Action,
    tier: int,
    raised_because: Sequence[str],
    is_answered: bool = False,
    at: datetime,
) -> Asked:
    """Ask people to confirm an action, bound to its exact bytes; in the caller's transaction.

    `arguments` are RFC 8785 bytes. The same call of the same run is asked for once. With `is_answered`, a standing approval
    answers in the same transaction, and nobody is told that something waits.
    """
    scope.require_tenant(tenant)
    return ask(tenant, action, tier, raised_because, at, tells=not is_answered)


def ask(
    tenant: uuid.UUID,
    action: Action,
    tier: int,
    raised_because: Sequence[str],
    at: datetime,
    *,
    replaces: Confirmation | None = None,
    editors: Sequence[int] = (),
    new: uuid.UUID | None = None,
    tells: bool = True,
) -> Asked:
    """Ask, perhaps in place of what somebody has edited: then `editors` are all who had a hand in it, the last one last."""
    binding = _binding(tenant, action, tier)
    eligible = queries.eligible_people(
        tenant=tenant,
        agent=action.agent,
        tool=action.tool,
        acting_user=action.acting_user,
        tier=tier,
        root_user=action.root_user,
        editors=editors,
    )
    confirmation, is_new = Confirmation.objects.exclude(state=State.EDITED).get_or_create(
        tenant_id=tenant,
        run_id=action.run_id,
        call_id=action.call_id,
        defaults={
            "id": new or new_id(),
            "agent": action.agent,
            "agent_version": action.agent_version,
            "acting_user": action.acting_user,
            "root_user": action.root_user,
            "tool": action.tool,
            "tool_version": action.tool_version,
            "tool_version_id": action.tool_version_id,
            "tier": tier,
            "raised_because": list(raised_because),
            "says": action.says,
            "arguments": action.arguments,
            "binding": binding,
            "action_digest": action_digest(binding),
            "likeness": action.likeness,
            "facts": dataclasses.asdict(action.facts),
            "is_tainted": action.is_tainted,
            "resource": action.resource,
            "resource_version": action.resource_version,
            "current": action.current,
            "eligible": eligible,
            "delay_seconds": action.delay_seconds if tier == Tier.TWO_PEOPLE else 0,
            "supersedes_id": replaces.id if replaces else None,
            "edited_by": editors[-1] if editors else None,
            "requested_at": at,
            "expires_at": at + LIFETIME[tier],
        },
    )
    if is_new:
        _announce(tenant, confirmation, at, tells=tells)
    return queries.as_asked(confirmation, State(confirmation.state))


def _announce(tenant: uuid.UUID, confirmation: Confirmation, at: datetime, *, tells: bool) -> None:
    audit.record(
        tenant=tenant,
        action="approval.requested",
        actor=Actor(type="agent", id=f"agent:{confirmation.agent}", label=confirmation.agent),
        target=Target(type="confirmation", id=str(confirmation.id)),
        outcome=Outcome.PENDING,
        data={
            "tool": confirmation.tool,
            "tool_version": confirmation.tool_version,
            "tier": confirmation.tier,
            "action_digest": bytes(confirmation.action_digest).hex(),
            "args_digest": arguments_digest(bytes(confirmation.arguments)).hex(),
            "raised_because": list(confirmation.raised_because),
        },
        at=at,
        run=confirmation.run_id,
        on_behalf_of=confirmation.acting_user,
    )
    if tells:
        tell_asked(
            tenant=tenant,
            confirmation=confirmation.id,
            tier=confirmation.tier,
            agent=confirmation.agent,
            acting_user=confirmation.acting_user,
            tool=confirmation.tool,
            eligible=confirmation.eligible,
            expires_at=confirmation.expires_at,
        )


def stand(
    *,
    tenant: uuid.UUID,
    confirmation: uuid.UUID,
    standing: uuid.UUID,
    owner: str,
    uses_left: int,
    at: datetime,
) -> bool:
    """A standing approval answers for a person: what was just asked for is approved by it. `owner` is whose it is."""
    scope.require_tenant(tenant)
    moved = moving.move(
        tenant=tenant,
        to=State.APPROVED,
        who=Who.STANDING,
        which="id = %(id)s AND tier < 4 AND expires_at > %(at)s",
        params={"id": confirmation, "at": at, "standing": standing, "by": f"standing:{standing}"},
        sets="decided_at = %(at)s, decided_by = %(by)s, standing_id = %(standing)s",
        at=at,
        told={"standing": str(standing), "owner": owner, "uses_left": uses_left},
    )
    return bool(moved)


def redeem(*, tenant: uuid.UUID, confirmation: uuid.UUID, jti: str = "", at: datetime) -> Redeemed:
    """Take what was approved, once, for the permit `jti`. Raises NotRedeemable, with the state in its code.

    The guard writes the entry, with its call.
    """
    scope.require_tenant(tenant)
    taken = moving.change(
        tenant=tenant,
        to=State.EXECUTING,
        who=Who.AGENT,
        which="id = %(id)s AND expires_at > %(at)s",
        params={"id": confirmation, "at": at, "jti": jti},
        sets="redeemed_at = %(at)s, permit_jti = %(jti)s",
    )
    if not taken:
        raise NotRedeemable(queries.asked(tenant=tenant, confirmation=confirmation, at=at).state)
    [found] = taken
    if not is_bound(found.binding, found.arguments, found.action_digest):
        raise NotRedeemable(State.INVALIDATED)  # somebody has changed the row past us: nothing of it runs
    return Redeemed(id=found.id, arguments=found.arguments, action_digest=found.action_digest, tier=found.tier)


def note_executed(*, tenant: uuid.UUID, confirmation: uuid.UUID, executed_digest: bytes) -> bool:
    """Whoever runs it tells the digest of the arguments that run: kept for the receipt. The first one told stays."""
    scope.require_tenant(tenant)
    return bool(
        Confirmation.objects.filter(
            tenant_id=tenant, id=confirmation, executed_digest=None, redeemed_at__isnull=False
        ).update(executed_digest=executed_digest)
    )


def close(
    *, tenant: uuid.UUID, confirmation: uuid.UUID, outcome: str, executed_digest: bytes | None = None, at: datetime
) -> bool:
    """Note how a redeemed action ended (ok, error or unknown); False where it was not executing."""
    scope.require_tenant(tenant)
    if executed_digest is not None:
        note_executed(tenant=tenant, confirmation=confirmation, executed_digest=executed_digest)
    known = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).values_list("executed_digest", flat=True)
    moved = moving.move(
        tenant=tenant,
        to={"ok": State.EXECUTED, "error": State.FAILED}.get(outcome, State.OUTCOME_UNKNOWN),
        who=Who.AGENT,
        which="id = %(id)s",
        params={"id": confirmation, "at": at},
        sets="ended_at = %(at)s",
        at=at,
        told={"executed_digest": bytes(known.first() or b"").hex()},
    )
    return bool(moved)


def invalidate(*, tenant: uuid.UUID, run: uuid.UUID, at: datetime) -> int:
    """The run has ended: what waits for people in its name waits no more; answers how many."""
    scope.require_tenant(tenant)
    moved = moving.move(
        tenant=tenant,
        to=State.INVALIDATED,
        who=Who.GUARD,
        which="run_id = %(run)s",
        params={"run": run, "at": at, "reason": "the run has ended"},
        sets="ended_at = %(at)s, reason = %(reason)s",
        at=at,
        reason="the run has ended",
    )
    return len(moved)


def lapse(*, tenant: uuid.UUID, confirmation: uuid.UUID, reason: str, at: datetime) -> bool:
    """What it is bound to has changed since people were asked: it can no longer be redeemed."""
    scope.require_tenant(tenant)
    moved = moving.move(
        tenant=tenant,
        to=State.INVALIDATED,
        who=Who.GUARD,
        which="id = %(id)s",
        params={"id": confirmation, "at": at, "reason": reason[:500]},
        sets="ended_at = %(at)s, reason = %(reason)s",
        at=at,
        reason=reason,
    )
    return bool(moved)


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
            "resource_version": action.resource_version,
            "tier": tier,
            "policy_version": str(action.policy_version),
        }
    )
    # "arguments" sorts behind "agent…" and before "nonce": RFC 8785 orders members, so it has one place only.
    head, comma, tail = around.partition(b',"nonce":')
    return head + b',"arguments":' + action.arguments + comma + tail
