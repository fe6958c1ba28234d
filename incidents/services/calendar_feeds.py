"""Addresses for calendar programs. The address is the secret: it is shown once, and kept as a digest."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta

from agentops.common import scope
from agentops.common.errors import Conflict, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.models import CalendarFeed
from incidents.queries.calendar_feeds import digest_of

FEEDS_MOST = 10  # of one person at a time
_READ_EVERY = timedelta(hours=1)


def make_feed(*, tenant: uuid.UUID, user: int, by: Actor, at: datetime) -> str:
    """A further address of one's own; answers its token. Raises Conflict where there are ten."""
    scope.require_tenant(tenant)
    if CalendarFeed.objects.filter(tenant_id=tenant, user_id=user, revoked_at=None).count() >= FEEDS_MOST:
        raise Conflict(f"You have {FEEDS_MOST} calendar addresses. Revoke one that you do not use first.")
    token = secrets.token_urlsafe(32)
    made = CalendarFeed.objects.create(tenant_id=tenant, user_id=user, token_digest=digest_of(token), made_at=at)
    _record(made, "on_call.feed_made", by, at)
    return token


def revoke_feed(*, tenant: uuid.UUID, feed: uuid.UUID, user: int, by: Actor, at: datetime) -> None:
    """One's own. Twice is once. Raises NotFound for another's."""
    scope.require_tenant(tenant)
    found = CalendarFeed.objects.filter(tenant_id=tenant, id=feed, user_id=user).select_for_update().first()
    if found is None:
        raise NotFound("You have no such calendar address.")
    if found.revoked_at is None:
        found.revoked_at = at
        found.save(update_fields=["revoked_at"])
        _record(found, "on_call.feed_revoked", by, at)


def note_feed_read(*, tenant: uuid.UUID, feed: uuid.UUID, at: datetime) -> None:
    """When a calendar last came for it, to the hour: so that people see which address is in use."""
    scope.require_tenant(tenant)
    rows = CalendarFeed.objects.filter(tenant_id=tenant, id=feed)
    rows.exclude(read_at__gt=at - _READ_EVERY).update(read_at=at)


def _record(feed: CalendarFeed, action: str, by: Actor, at: datetime) -> None:
    audit.record(
        tenant=feed.tenant_id,
        action=action,
        actor=by,
        target=Target(type="calendar_feed", id=str(feed.id)),
        outcome=Outcome.SUCCESS,
        data={},
        at=at,
    )
