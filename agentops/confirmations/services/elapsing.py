"""What time alone brings about. Each by the database's clock."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from agentops.common import scope
from agentops.confirmations.models import MailedCode, Presentation
from agentops.confirmations.services import moving
from agentops.confirmations.states import Who
from agentops.confirmations.types import REDEEM_MOST, State
from audit.types import SYSTEM

BATCH = 500
CODES_KEPT = timedelta(days=1)
LINKS_KEPT = timedelta(days=30)


def expire(*, tenant: uuid.UUID, at: datetime) -> int:
    """Say of what nobody decided or redeemed in time that it has expired; answers how many, at most `BATCH`.

    What somebody is deciding at this moment is left to them: they find its time over by themselves.
    """
    scope.require_tenant(tenant)
    moved = moving.move(
        tenant=tenant,
        to=State.EXPIRED,
        who=Who.CLOCK,
        which="id IN (SELECT id FROM confirmations_confirmation WHERE tenant_id = %(tenant)s "
        "AND state = ANY(%(origins)s) AND expires_at <= clock_timestamp() ORDER BY expires_at LIMIT %(most)s) "
        "AND expires_at <= clock_timestamp()",
        params={"most": BATCH},
        sets="ended_at = clock_timestamp()",
        by=SYSTEM,
        at=at,
        waits=False,
    )
    return len(moved)


def release(*, tenant: uuid.UUID, confirmation: uuid.UUID, at: datetime) -> bool:
    """The delay is over, and nobody has stopped it: it may be redeemed. False where that is not so (any more).

    The caller has checked everything once more. There is time left to redeem it, whenever it is released.
    """
    scope.require_tenant(tenant)
    moved = moving.move(
        tenant=tenant,
        to=State.APPROVED,
        who=Who.CLOCK,
        which="id = %(id)s AND cooling_until <= clock_timestamp() AND expires_at > clock_timestamp()",
        params={"id": confirmation, "redeem": REDEEM_MOST},
        sets="expires_at = greatest(c.expires_at, clock_timestamp() + %(redeem)s)",
        by=SYSTEM,
        at=at,
    )
    return bool(moved)


def lose_outcome(*, tenant: uuid.UUID, confirmation: uuid.UUID, at: datetime) -> bool:
    """It has been executing for too long without a word: how it ended is not known. False where it was closed before."""
    scope.require_tenant(tenant)
    moved = moving.move(
        tenant=tenant,
        to=State.OUTCOME_UNKNOWN,
        who=Who.CLOCK,
        which="id = %(id)s",
        params={"id": confirmation},
        sets="ended_at = clock_timestamp()",
        by=SYSTEM,
        at=at,
    )
    return bool(moved)


def purge(*, tenant: uuid.UUID, at: datetime) -> int:
    """Delete mailed codes and one-time links that have been over for long; answers how many."""
    scope.require_tenant(tenant)
    codes, _ = MailedCode.objects.filter(tenant_id=tenant, expires_at__lt=at - CODES_KEPT).delete()
    links, _ = Presentation.objects.filter(tenant_id=tenant, expires_at__lt=at - LINKS_KEPT).delete()
    return codes + links
