"""Tokens of our own machines: made once, shown once, revoked for ever.

They belong to no organisation, so to no organisation's log: the token's own row says who made it and who ended it, is never
deleted, and what is done with it is in the log of the organisation it is done to.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from agentops.common.errors import NotFound
from audit.types import Actor
from tenants import keys
from tenants.errors import invalid
from tenants.models import StaffToken
from tenants.roles import StaffScope
from tenants.types import NewStaffToken

log = logging.getLogger(__name__)


def create_staff_token(*, name: str, scopes: Iterable[str], by: Actor, at: datetime) -> NewStaffToken:
    """Make a token; its text is in the answer and nowhere else. Opens its own transaction. Raises InvalidInput."""
    name, chosen = name.strip(), set(scopes)
    if not 1 <= len(name) <= 120:
        raise invalid("/name", "A token needs a name of 1 to 120 characters: which system will use it?")
    if not chosen or not chosen <= set(StaffScope.values):
        raise invalid("/scopes", f"Choose from {', '.join(StaffScope.values)}: a token without a scope opens nothing.")
    text = keys.mint_staff()
    with transaction.atomic(durable=True):
        token = StaffToken.objects.create(
            name=name,
            prefix=keys.prefix(text),
            digest=keys.digest(text),
            scopes=[scope for scope in StaffScope.values if scope in chosen],
            created_at=at,
            created_by=by.label,
        )
    log.warning("%s made the staff token %s (%s)", by.label, name, token.prefix)
    return NewStaffToken(token=token, text=text)


def revoke_staff_token(*, token: uuid.UUID, by: Actor, at: datetime) -> StaffToken:
    """End a token. One that is revoked already stays as it is. Opens its own transaction. Raises NotFound."""
    with transaction.atomic(durable=True):
        is_ours = StaffToken.objects.filter(id=token, revoked_at__isnull=True).update(
            revoked_at=at, revoked_by=by.label
        )
        found = StaffToken.objects.filter(id=token).first()
    if found is None:
        raise NotFound("There is no such token.")
    if is_ours:
        log.warning("%s revoked the staff token %s (%s)", by.label, found.name, found.prefix)
    return found
