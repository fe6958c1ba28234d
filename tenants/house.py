"""The organisation of our own people: whose rows alerts, incidents and on-call are, and whose audit log says who did what.

What staff do about many organisations at once belongs to none of them. It is kept as any organisation's rows are: behind
row-level security, in one scope, with a log of its own that is sealed as all are. Nobody is a member of it and no key
opens it; staff come in by `tenants.access.house_page`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from agentops.common import clock
from agentops.common.errors import Forbidden
from agentops.common.scope import tenant_scope
from audit import services as audit
from audit.types import SYSTEM, Outcome, Target
from tenants.models import Tenant, TenantSettings
from tenants.roles import Plan

HOUSE_ID = uuid.UUID("01900000-0000-7000-8000-00000000a0b5")
SLUG, NAME = "agentops-operations", "Operations (our own)"


@contextmanager
def house_scope() -> Iterator[uuid.UUID]:
    """The scope of our own organisation, which is made where it is not there yet; gives its id."""
    if not Tenant.objects.filter(id=HOUSE_ID).exists():
        _make()
    with tenant_scope(HOUSE_ID):
        yield HOUSE_ID


def refuse_house(tenant: uuid.UUID) -> None:
    """Raises Forbidden: what opens an organisation from outside, a member or a key, our own never has."""
    if tenant == HOUSE_ID:
        raise Forbidden("Our own organisation has no members and no keys: staff come in by their roles.")


def _make() -> None:
    at = clock.now()
    with tenant_scope(HOUSE_ID):
        try:
            with transaction.atomic():
                Tenant.objects.create(
                    id=HOUSE_ID, slug=SLUG, name=NAME, plan=Plan.ENTERPRISE, is_house=True, created_at=at
                )
        except IntegrityError as error:
            if Tenant.objects.filter(id=HOUSE_ID).exists():
                return  # another process was first
            raise RuntimeError(
                f"A customer has the short name {SLUG!r}, which is of our own organisation: without it nothing is watched, "
                "and nobody is paged. Give that customer another."
            ) from error
        TenantSettings.objects.create(tenant_id=HOUSE_ID, masking_salt=secrets.token_bytes(32))
        audit.record(
            tenant=HOUSE_ID,
            action="tenant.created",
            actor=SYSTEM,
            target=Target(type="tenant", id=str(HOUSE_ID)),
            outcome=Outcome.SUCCESS,
            data={"slug": SLUG, "plan": Plan.ENTERPRISE.value},
            at=at,
        )
