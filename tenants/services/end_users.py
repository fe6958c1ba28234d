"""Which of the customer's own users a member is: whose calls they confirm, and whose usage is theirs."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants.errors import EndUserTaken, invalid
from tenants.models import EndUser, Membership

ID_MOST = 200


def link_end_user(*, tenant: uuid.UUID, member: uuid.UUID, external_id: str, by: Actor, at: datetime) -> EndUser:
    """Say that a member is the end user whom agents name so, whether or not any has named them yet.

    The same again changes nothing. Raises NotFound, InvalidInput, and EndUserTaken where somebody else is that user.
    """
    scope.require_tenant(tenant)
    membership = _membership(tenant, member)
    name = external_id.strip()
    if not 1 <= len(name) <= ID_MOST or not name.isprintable():
        raise invalid("/external_id", f"An end user has an id of 1 to {ID_MOST} printable characters.")
    EndUser.objects.get_or_create(tenant_id=tenant, external_id=name, defaults={"first_seen_at": at})
    found = EndUser.objects.select_for_update().get(tenant_id=tenant, external_id=name)
    if found.user_id == membership.user_id:
        return found
    if found.user_id is not None:
        raise EndUserTaken(f"Somebody else is {name!r} already. Take it from them first.")
    found.user_id = membership.user_id
    found.save(update_fields=["user"])
    _record(found, membership, "end_user.linked", by, at)
    return found


def unlink_end_user(*, tenant: uuid.UUID, member: uuid.UUID, external_id: str, by: Actor, at: datetime) -> None:
    """Take that back: they confirm nothing in this end user's name any more. Raises NotFound."""
    scope.require_tenant(tenant)
    membership = _membership(tenant, member)
    found = None
    if "\0" not in external_id:
        found = (
            EndUser.objects.select_for_update()
            .filter(tenant_id=tenant, external_id=external_id, user_id=membership.user_id)
            .first()
        )
    if found is None:
        raise NotFound("They are not that end user (any more).")
    found.user = None
    found.save(update_fields=["user"])
    _record(found, membership, "end_user.unlinked", by, at)


def forget_links(*, tenant: uuid.UUID, membership: Membership, by: Actor, at: datetime) -> None:
    """Take every such link from somebody who leaves."""
    scope.require_tenant(tenant)
    for found in EndUser.objects.select_for_update().filter(tenant_id=tenant, user_id=membership.user_id):
        found.user = None
        found.save(update_fields=["user"])
        _record(found, membership, "end_user.unlinked", by, at)


def _membership(tenant: uuid.UUID, member: uuid.UUID) -> Membership:
    found = Membership.objects.filter(tenant_id=tenant, id=member).select_related("user").first()
    if found is None:
        raise NotFound("There is no such member; perhaps somebody removed them a moment ago.")
    return found


def _record(found: EndUser, membership: Membership, action: str, by: Actor, at: datetime) -> None:
    audit.record(
        tenant=found.tenant_id,
        action=action,
        actor=by,
        target=Target(type="user", id=f"user:{membership.user_id}"),
        outcome=Outcome.SUCCESS,
        data={"member": membership.user.email, "end_user": found.external_id},
        at=at,
    )
