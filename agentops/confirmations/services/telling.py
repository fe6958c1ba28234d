"""Telling people that something waits for them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from agentops.common import scope
from agentops.confirmations.types import Tier
from agentops.outbox import services as outbox
from tenants import access
from tenants import queries as tenants

TOLD_MOST = 20
TEMPLATE = "confirmations/mail/asked.txt"


def tell_asked(
    *,
    tenant: uuid.UUID,
    confirmation: uuid.UUID,
    tier: int,
    agent: str,
    acting_user: str,
    tool: str,
    eligible: Sequence[int],
    expires_at: datetime,
) -> int:
    """Mail each of those who could decide, once; answers to how many. In the caller's transaction.

    Only from tier 3 on: what a person confirms in the flow is before their eyes, and gone in ten minutes. The mail holds
    a link and no credential; nothing of the payload either, as mail is read by more than one machine.
    """
    scope.require_tenant(tenant)
    if tier < Tier.FULL_DISCLOSURE:
        return 0
    people = access.members_by_id(tenant, list(eligible)[:TOLD_MOST])
    if not people:
        return 0
    organisation = tenants.tenants_by_id([tenant])[tenant]
    context = {
        "organisation": organisation.name,
        "agent": agent,
        "acting_user": acting_user,
        "tool": tool,
        "is_of_two": tier == Tier.TWO_PEOPLE,
        "until": f"{expires_at:%d %B %Y, %H:%M} UTC",
        "link": f"{settings.PUBLIC_URL}/t/{organisation.slug}/confirmations/{confirmation}/",
    }
    for user in people.values():
        outbox.send(
            tenant=tenant,
            channel="mail",
            destination=user.email,
            template=TEMPLATE,
            context=context,
            dedup_key=f"asked:{confirmation}:{user.pk}",
            useless_at=expires_at,
        )
    return len(people)
